import ACE
import Configurations
import Platform
import StageKit

/// A basis of chosen functions as `sluice fit --choose-from` writes it and the featurize stage reads it.
public enum BasisFile {
  private struct Content: Codable {
    let schema: String
    let version: Int
    let basis: BasisSpecification
  }

  private static let schema = "sluice-basis"

  public static func encode(_ specification: BasisSpecification) throws -> [UInt8] {
    try CanonicalJSON.encode(Content(schema: schema, version: 1, basis: specification), pretty: false)
  }

  /// Whether these bytes claim to be such a file.
  public static func isClaimed(by bytes: [UInt8]) -> Bool {
    (try? CanonicalJSON.decode(Claim.self, bytes))?.schema == schema
  }

  private struct Claim: Decodable {
    let schema: String
  }

  /// Throws in words for the user where the file is none, belongs to other elements, or names impossible functions.
  /// - Parameter elements: of the project; nil for any.
  public static func specification(
    _ bytes: [UInt8], name: String, elements: [Element]? = nil
  ) throws(StageError) -> BasisSpecification {
    let remedy = "Name a file that 'sluice fit --choose-from' wrote, or choose anew."
    let content: Content
    do { content = try CanonicalJSON.decode(Content.self, bytes) } catch {
      throw StageError("'\(name)' cannot be read as a basis: \(error).", remedy: remedy)
    }
    guard content.schema == schema, content.version == 1 else {
      throw StageError("'\(name)' is not a basis that this program reads.", remedy: remedy)
    }
    let specification = content.basis
    if let elements, specification.elements != elements.sorted(by: { $0.symbol < $1.symbol }) {
      let own = specification.elements.map(\.symbol).joined(separator: ", ")
      throw StageError(
        "'\(name)' is a basis for \(own), the project's elements are \(elements.map(\.symbol).joined(separator: ", ")).",
        remedy: "Choose functions with data of these elements.")
    }
    do { try specification.validate() } catch {
      throw StageError("'\(name)' holds no basis: \(error).", remedy: remedy)
    }
    return specification
  }
}
