import Configurations

/// What the ACE engine refuses.
public enum ACEError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A basis that cannot be made, in words.
  case invalidSpecification(String)
  case neighborList(NeighborListError)
  /// An atom of an element that the basis does not hold.
  case unknownElement(Element, atom: Int)
  /// Two atoms closer than any potential can describe, Å.
  case atomsTooClose(atom: Int, neighbor: Int, distance: Double)
  /// Coefficients, an active set or a potential that do not fit the basis, in words.
  case mismatch(String)

  public var description: String {
    switch self {
    case .invalidSpecification(let cause): cause
    case .neighborList(let error): error.description
    case .unknownElement(let element, let atom):
      "atom \(atom) is \(element), which the basis does not hold"
    case .atomsTooClose(let atom, let neighbor, let distance):
      "atoms \(atom) and \(neighbor) are \(distance) Å apart"
    case .mismatch(let cause): cause
    }
  }
}
