// Configurations come in, frames with a potential's labels go out, and how far they are from the labels before.

import ACE
import Configurations
import Glibc
import LinearAlgebra
import Platform

/// One frame with its prediction, as bytes.
struct PredictedFrame: Sendable {
  var source: String
  var atoms: Int
  var bytes: [UInt8]
}

struct PredictedFrames: Sendable {
  var frames: [PredictedFrame] = []
  /// Of frames that could not be evaluated.
  var failures: [Diagnostic] = []
  var statistics = PredictionStatistics()
}

/// A potential that is ready to be evaluated on any thread.
struct Predictor: Sendable {
  let potential: Potential
  private let evaluator: Evaluator
  private let inverses: [Matrix?]?
  let ensemble: EnsembleInput?
  private let perAtom: Bool
  /// Threads that may share one large structure.
  private let threads: Int
  private let writer: ExtendedXYZWriter

  init(
    potential file: String, activeSet: String?, ensemble: String?, perAtom: Bool, threads: Int,
    writer: ExtendedXYZWriter
  ) throws {
    let fileSystem = PosixFileSystem()
    potential = try PotentialInput(file).potential
    // Tabulated as in LAMMPS, to give the numbers that its users will see.
    evaluator = Evaluator(potential.basis, radial: .tabulated)
    let basis = potential.basis
    inverses = try activeSet.map { try Self.inverses($0, basis, fileSystem) }
    let potential = potential
    self.ensemble = try ensemble.map { try EnsembleInput($0, of: potential) }
    self.perAtom = perAtom
    self.threads = threads
    self.writer = writer
  }

  private static func inverses(
    _ file: String, _ basis: Basis, _ fileSystem: PosixFileSystem
  ) throws -> [Matrix?] {
    let set: ActiveSetFile
    let bytes = try fileSystem.readFile(file)
    do throws(PotentialFileError) { set = try ActiveSetFile(decoding: bytes) } catch {
      throw error.sentence(file: file)
    }
    for (index, element) in basis.elements.enumerated() {
      let count = basis.functions[index].count
      guard let inverse = set.inverse(of: element), inverse.rows == count else {
        let found = set.inverse(of: element).map { "one of \($0.rows) functions" } ?? "none"
        throw Diagnostic(
          .error, code: "active-set-mismatch", place: .init(file: file),
          cause: "the potential has \(count) functions of \(element), the active set \(found).",
          remedy: "Give the .asi that was made with this potential, and the potential as .yaml.")
      }
    }
    return set.inverses(for: basis)
  }

  /// Frames in their order; those that cannot be evaluated are left out and said.
  func predict(
    _ configurations: [Configuration], _ workspace: Workspace, check: () throws -> Void
  ) throws -> PredictedFrames {
    var result = PredictedFrames()
    for configuration in configurations {
      try check()
      do throws(ACEError) {
        let began = threadSeconds()
        let evaluation: Evaluation
        var (grades, errors): ([Double]?, PredictedErrors?)
        if let ensemble {
          let deviation: EnsembleDeviation
          (evaluation, deviation, grades) = try ensemble.evaluate(
            potential, configuration, evaluator, inverses: inverses, threads: threads, workspace)
          errors = PredictedErrors(deviation, ensemble.errorBars)
        } else if let inverses {
          (evaluation, grades) = try evaluator.evaluate(
            potential, configuration, inverses: inverses, threads: threads, workspace: workspace)
        } else {
          evaluation = try evaluator.evaluate(potential, configuration, threads: threads, workspace: workspace)
        }
        result.statistics.seconds += threadSeconds() - began
        guard evaluation.energy.isFinite, evaluation.forces.allSatisfy({ dot($0, $0).isFinite }) else {
          result.failures.append(
            failure(configuration, "not-finite", "the potential gives numbers that are not finite."))
          continue
        }
        result.statistics.add(evaluation, errors, configuration)
        result.frames.append(
          PredictedFrame(
            source: configuration.provenance.source, atoms: configuration.count,
            bytes: writer.frame(predicted(configuration, evaluation, grades, errors))))
      } catch {
        result.failures.append(failure(configuration, error))
      }
    }
    return result
  }

  private func predicted(
    _ configuration: Configuration, _ evaluation: Evaluation, _ grades: [Double]?, _ errors: PredictedErrors?
  ) -> Configuration {
    var frame = configuration
    frame.labels = Labels(
      energy: evaluation.energy, forces: evaluation.forces, stress: evaluation.stress, machineLearned: true)
    // What an earlier prediction left must not look like this one's.
    frame.properties["energies"] = perAtom ? .perAtomReals(evaluation.energies, columns: 1) : nil
    frame.properties["force_deviation"] = errors.map { .perAtomReals($0.deviation.forces, columns: 1) }
    frame.properties["energy_deviation"] = errors.map { .real($0.deviation.energy) }
    frame.properties["stress_deviation"] = errors?.deviation.stress.map { .real($0) }
    frame.properties["force_uncertainty"] = errors?.forces.map { .perAtomReals($0, columns: 1) }
    frame.properties["energy_uncertainty"] = errors?.energy.map { .real($0) }
    // Without stress in a frame there is none of an error.
    frame.properties["stress_uncertainty"] = evaluation.stress == nil ? nil : errors?.stress.map { .real($0) }
    frame.properties["gamma"] = grades.map { .perAtomReals($0, columns: 1) }
    if case .text(let source)? = frame.properties["source"], case .integer(let step)? = frame.properties["ionic_step"] {
      frame.provenance.source = source
      frame.provenance.ionicStep = step
      frame.properties["source"] = nil
      frame.properties["ionic_step"] = nil
    }
    return frame
  }

  private func failure(_ configuration: Configuration, _ error: ACEError) -> Diagnostic {
    switch error {
    case .unknownElement(let element, let atom):
      failure(
        configuration, "foreign-element",
        "atom \(atom) (from 0) is \(element); the potential holds "
          + potential.basis.elements.map(\.symbol).joined(separator: ", ") + ".")
    case .atomsTooClose(let atom, let neighbor, let distance):
      failure(
        configuration, "atoms-too-close", "atoms \(atom) and \(neighbor) (from 0) are \(distance) Å apart.")
    case .neighborList, .invalidSpecification, .mismatch:
      failure(configuration, "not-evaluated", error.description + ".")
    }
  }

  private func failure(_ configuration: Configuration, _ code: String, _ cause: String) -> Diagnostic {
    Diagnostic(
      .error, code: code,
      place: .init(file: configuration.provenance.source, ionicStep: configuration.provenance.ionicStep), cause: cause)
  }
}

/// Processor time of this thread, which other programs on the machine do not stretch.
private func threadSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
}
