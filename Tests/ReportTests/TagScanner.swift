import Foundation

/// A start or end tag as a browser would see it.
struct Tag {
  var name: String
  var isEnd: Bool
  var attributes: [(name: String, value: String)]
}

/// Reads the tags of a page strictly: attributes in double quotes, nothing but text between tags. Stops
/// with nil at anything else, so that a test fails where markup is torn.
func scanTags(_ page: String) -> [Tag]? {
  var tags: [Tag] = []
  var rest = Substring(page)
  while let start = rest.firstIndex(of: "<") {
    rest = rest[rest.index(after: start)...]
    if rest.hasPrefix("!DOCTYPE") {
      rest = rest[rest.firstIndex(of: ">")!...]
      continue
    }
    var tag = Tag(name: "", isEnd: rest.first == "/", attributes: [])
    if tag.isEnd { rest.removeFirst() }
    tag.name = String(rest.prefix { $0.isLetter || $0.isNumber })
    if tag.name.isEmpty { return nil }
    rest = rest.dropFirst(tag.name.count)
    while rest.first == " " || rest.first == "\n" {
      rest.removeFirst()
      let name = String(rest.prefix { $0.isLetter || $0 == "-" || $0.isNumber })
      if name.isEmpty { continue }
      rest = rest.dropFirst(name.count)
      guard rest.hasPrefix("=\"") else {
        tag.attributes.append((name, ""))
        continue
      }
      rest = rest.dropFirst(2)
      guard let end = rest.firstIndex(of: "\"") else { return nil }
      tag.attributes.append((name, String(rest[..<end])))
      rest = rest[rest.index(after: end)...]
    }
    if rest.first == "/" { rest.removeFirst() }
    guard rest.first == ">" else { return nil }
    tags.append(tag)
    if !tag.isEnd && (tag.name == "script" || tag.name == "style") {
      guard let end = rest.range(of: "</" + tag.name) else { return nil }
      rest = rest[end.lowerBound...]
    }
  }
  return tags
}

/// Names of elements left open or closed out of turn.
func unbalanced(_ tags: [Tag]) -> [String] {
  let void: Set = ["meta", "link", "input", "wbr", "path", "line", "rect"]
  var open: [String] = []
  var wrong: [String] = []
  for tag in tags where !void.contains(tag.name) {
    if !tag.isEnd {
      open.append(tag.name)
    } else if open.last == tag.name {
      open.removeLast()
    } else {
      wrong.append(tag.name)
    }
  }
  return wrong + open
}
