import Configurations
import Glibc

/// Molecular dynamics with the reference potential, to make thermal runs.
public enum TungstenDynamics {
  /// Runs Langevin dynamics (BAOAB splitting, 2 fs, friction 5/ps) at `kelvin` from `start`, whose
  /// velocities begin thermal, and gives `frames` labelled configurations, each `interval` steps after
  /// the one before, after `settling` steps.
  public static func run(
    _ start: Configuration, kelvin: Double, frames: Int, interval: Int = 20, settling: Int = 60,
    _ random: inout RandomNumbers
  ) -> [Configuration] {
    let potential = FinnisSinclairTungsten()
    // eV/u in (Å/ps)^2; Boltzmann's constant in eV/K; the mass in u.
    let unit = 9648.533_212
    let mass = 183.84
    let timeStep = 0.002
    let thermal = (unit * 8.617_333_262e-5 * kelvin / mass).squareRoot()
    let kept = exp(-5 * timeStep)
    let added = thermal * (1 - kept * kept).squareRoot()
    func kick(_ random: inout RandomNumbers) -> Vector3 {
      Vector3(random.normal(), random.normal(), random.normal())
    }
    var configuration = start
    var velocities = start.positions.map { _ in thermal * kick(&random) }
    var forces = potential.evaluate(configuration.positions, configuration.cell).forces
    var collected: [Configuration] = []
    for step in 1...settling + frames * interval {
      for k in velocities.indices {
        velocities[k] += (0.5 * timeStep * unit / mass) * forces[k]
        configuration.positions[k] += (0.5 * timeStep) * velocities[k]
        velocities[k] = kept * velocities[k] + added * kick(&random)
        configuration.positions[k] += (0.5 * timeStep) * velocities[k]
      }
      forces = potential.evaluate(configuration.positions, configuration.cell).forces
      for k in velocities.indices { velocities[k] += (0.5 * timeStep * unit / mass) * forces[k] }
      if step > settling, (step - settling) % interval == 0 {
        collected.append(potential.label(configuration))
      }
    }
    return collected
  }
}
