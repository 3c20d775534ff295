/// Numbers that the C kernels read: allocated once, aligned for them, never changed, freed with their owner.
/// Unchecked because pointers are not Sendable; nothing writes after `init`.
final class ConstantBuffer<Element: BitwiseCopyable>: @unchecked Sendable {
  let pointer: UnsafePointer<Element>
  let count: Int

  init(_ elements: [Element]) {
    let bytes = max(elements.count, 1) * MemoryLayout<Element>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      .bindMemory(to: Element.self, capacity: max(elements.count, 1))
    memory.initialize(from: elements, count: elements.count)
    pointer = UnsafePointer(memory)
    count = elements.count
  }

  deinit { UnsafeMutableRawPointer(mutating: pointer).deallocate() }
}

/// Memory that grows and is reused, aligned for the kernels.
struct ScratchBuffer<Element: BitwiseCopyable>: ~Copyable {
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0

  init() {}

  /// Room for `count` elements, contents undefined.
  mutating func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity || memory == nil {
      memory?.deallocate()
      capacity = max(count + count / 4, 64)
      memory = .allocate(byteCount: capacity * MemoryLayout<Element>.stride, alignment: 64)
    }
    return memory!.bindMemory(to: Element.self, capacity: capacity)
  }

  deinit { memory?.deallocate() }
}
