// What an action depends on goes in as named components, the key of its result comes out.

import Platform
import StageKit

/// One thing that an action depends on, in a form that people can compare.
public struct KeyComponent: Sendable, Hashable, Codable {
  /// "stage", "version", "elements", "parameter cutoff", "input features", "unit", "group", "names".
  public let name: String
  /// Canonical text: equal exactly where the thing is equal.
  public let value: String

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// The identity of an action: its stage (name, version, parameters), the pipeline's elements and
/// project, and its inputs by content. Never a path, host, date or number of threads.
public struct ActionKey: Sendable, Equatable {
  public var components: [KeyComponent] { shared + inputs }
  /// Those of the stage, and those of the action.
  let shared: [KeyComponent]
  let inputs: [KeyComponent]
  public let digest: Digest
}

/// The part of a key that all actions of one stage share.
public struct StageKey: Sendable {
  public let components: [KeyComponent]
  private let prefix: DigestBuilder

  public init(
    description: StageDescription, parameters: [StageParameter], project: String,
    elements: [String]
  ) {
    components =
      [
        KeyComponent("stage", description.name),
        KeyComponent("version", String(description.version)),
        KeyComponent("project", project),
        KeyComponent("elements", elements.joined(separator: " ")),
      ] + parameters.map { KeyComponent("parameter " + $0.name, $0.canonical) }
    var builder = DigestBuilder()
    builder.add("sluice action 1")
    Self.add(components, to: &builder)
    prefix = builder
  }

  /// The key of the stage's action on these inputs.
  public func key(_ inputs: [KeyComponent]) -> ActionKey {
    var builder = prefix
    Self.add(inputs, to: &builder)
    return ActionKey(shared: components, inputs: inputs, digest: builder.finish())
  }

  private static func add(_ components: [KeyComponent], to builder: inout DigestBuilder) {
    builder.add(components.count)
    for component in components {
      builder.add(component.name)
      builder.add(component.value)
    }
  }
}

/// A resolved parameter of a stage.
public struct StageParameter: Sendable, Hashable, Codable {
  public let name: String
  /// Numbers by their bit patterns.
  public let canonical: String

  public init(name: String, canonical: String) {
    self.name = name
    self.canonical = canonical
  }

  /// As a pipeline file would write it.
  public var readable: String { ParameterDecoder.readable(canonical) }
}
