import CLibXML2

extension VasprunHandler {
  /// The attributes of an element as libxml2 hands them over: five pointers each (name, prefix, URI,
  /// first and one past the last byte of the value), valid only during the event.
  struct Attributes {
    let base: UnsafeMutablePointer<UnsafePointer<UInt8>?>?
    let count: Int

    private func find(_ name: StaticString) -> UnsafeBufferPointer<UInt8>? {
      guard let base else { return nil }
      for k in 0..<count {
        guard let text = base[5 * k], let from = base[5 * k + 3], let to = base[5 * k + 4] else {
          continue
        }
        var i = 0
        while i < name.utf8CodeUnitCount, text[i] == name.utf8Start[i] { i += 1 }
        if i == name.utf8CodeUnitCount, text[i] == 0 {
          return UnsafeBufferPointer(start: from, count: to - from)
        }
      }
      return nil
    }

    func has(_ name: StaticString) -> Bool { find(name) != nil }

    func value(_ name: StaticString) -> String? {
      find(name).map { String(decoding: $0, as: UTF8.self) }
    }

    func equals(_ name: StaticString, _ value: StaticString) -> Bool {
      guard let found = find(name), found.count == value.utf8CodeUnitCount else { return false }
      for k in 0..<found.count where found[k] != value.utf8Start[k] { return false }
      return true
    }
  }

  /// SAX2 callbacks for `xmlCreatePushParserCtxt`, whose user data is an unretained handler.
  static var callbacks: xmlSAXHandler {
    var sax = xmlSAXHandler()
    sax.initialized = UInt32(XML_SAX2_MAGIC)
    sax.startElementNs = { context, name, _, _, _, _, count, _, attributes in
      handler(of: context).pointee.start(name!, Attributes(base: attributes, count: Int(count)))
    }
    sax.endElementNs = { context, _, _, _ in handler(of: context).pointee.end() }
    sax.characters = { context, bytes, count in
      handler(of: context).pointee.characters(bytes!, Int(count))
    }
    // The same function for blanks spares libxml2 the question which text is blank.
    sax.ignorableWhitespace = sax.characters
    sax.cdataBlock = { context, bytes, count in
      handler(of: context).pointee.characters(bytes!, Int(count))
    }
    sax.processingInstruction = { context, target, data in
      guard let target, let data else { return }
      handler(of: context).pointee.instruction(target, data)
    }
    sax.comment = { context, _ in handler(of: context).pointee.interrupt() }
    sax.internalSubset = { context, _, _, _ in
      handler(of: context).pointee.refuse("xml-doctype", "there is a document type declaration.")
    }
    sax.reference = { context, _ in
      handler(of: context).pointee.refuse("xml-entity", "there is an entity reference.")
    }
    // Without this libxml2 prints its errors; they are asked for afterwards.
    sax.serror = { _, _ in }
    return sax
  }
}

/// The handler behind the user data; the reader that owns it outlives the parser.
private func handler(of context: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<VasprunHandler> {
  context!.assumingMemoryBound(to: VasprunHandler.self)
}
