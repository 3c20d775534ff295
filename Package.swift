// swift-tools-version: 6.1
import PackageDescription

// Every target by name, in the order in which data flow through them.
// Plugins are not listed from the folder: SwiftPM caches the manifest and would miss a new one.

let bindings: [Target] = [
  .systemLibrary(
    name: "CLibXML2", path: "Sources/Bindings/CLibXML2", pkgConfig: "libxml-2.0",
    providers: [.apt(["libxml2-dev"])]),
  .systemLibrary(
    name: "CLibArchive", path: "Sources/Bindings/CLibArchive", pkgConfig: "libarchive",
    providers: [.apt(["libarchive-dev"])]),
  .systemLibrary(
    name: "COpenBLAS", path: "Sources/Bindings/COpenBLAS", pkgConfig: "openblas",
    providers: [.apt(["libopenblas-dev"])]),
  .target(name: "CLinux", path: "Sources/Bindings/CLinux"),
  .target(name: "CDigest", path: "Sources/Bindings/CDigest", cSettings: [.unsafeFlags(["-O3"])]),
  .target(name: "CInflate", path: "Sources/Bindings/CInflate", cSettings: [.unsafeFlags(["-O3"])]),
  .target(name: "CHouseholder", path: "Sources/Bindings/CHouseholder", cSettings: [.unsafeFlags(["-O3"])]),
  .target(name: "CKernels", path: "Sources/Bindings/CKernels", cSettings: [.unsafeFlags(["-O3"])]),
  .target(name: "CNeighbors", path: "Sources/Bindings/CNeighbors", cSettings: [.unsafeFlags(["-O3"])]),
]

let modules: [Target] = [
  .target(name: "Platform", dependencies: ["CLinux", "CDigest"]),
  .target(name: "Configurations", dependencies: ["Platform", "CNeighbors"]),
  .target(name: "VASP", dependencies: ["Configurations", "Platform", "CLibXML2", "CLibArchive", "CInflate"]),
  .target(name: "LinearAlgebra", dependencies: ["COpenBLAS", "CHouseholder"]),
  .target(name: "ACE", dependencies: ["Configurations", "LinearAlgebra", "CKernels"]),
  .target(name: "Regression", dependencies: ["LinearAlgebra", "Platform"]),
  .target(name: "Novelty", dependencies: ["LinearAlgebra", "Platform"]),
  .target(name: "Report", dependencies: []),
  .target(name: "StageKit", dependencies: ["Configurations", "Platform"]),
  .target(name: "Engine", dependencies: ["StageKit", "Platform", "Configurations"]),
]

func stage(_ name: String, _ algorithms: [Target.Dependency]) -> Target {
  .target(
    name: name,
    dependencies: ["StageKit", "Configurations", "Platform", "LinearAlgebra"] + algorithms,
    path: "Plugins/\(name)")
}

let plugins: [Target] = [
  // What recluster and rank share: the environments of all sources as rows.
  stage("Environments", ["Novelty"]),
  // What featurize, refit and benchmarks share: labels as rows of the fit.
  stage("TrainingRows", ["ACE", "Regression"]),
  stage("Ingest", ["VASP"]),
  stage("Screen", []),
  stage("Featurize", ["ACE", "Regression", "TrainingRows"]),
  stage("Refit", ["ACE", "Regression", "TrainingRows", "Novelty"]),
  stage("Recluster", ["Novelty", "Environments"]),
  stage("Candidates", ["VASP"]),
  stage("Rank", ["ACE", "Novelty", "Environments"]),
  stage("Publish", ["ACE", "Report", "Novelty"]),
]

let pluginNames: [Target.Dependency] = [
  "Ingest", "Screen", "Featurize", "Refit", "Recluster", "Candidates", "Rank", "Publish",
]

let programs: [Target] = [
  .executableTarget(
    name: "sluice",
    dependencies: [
      "Engine", "Report", "VASP", "ACE", "Novelty", "Configurations", "Platform", "LinearAlgebra", "TrainingRows",
    ] + pluginNames),
  // Labels from a published embedded-atom potential for tungsten, written in VASP's layout.
  .target(name: "TungstenReference", dependencies: ["Configurations"]),
  .executableTarget(
    name: "generate-tungsten", dependencies: ["TungstenReference", "Configurations", "Platform"],
    path: "Sources/TungstenGenerator"),
  // Run by hand (`make bench`), never as a test.
  .executableTarget(
    name: "ace-benchmark", dependencies: ["ACE", "Configurations", "LinearAlgebra"], path: "Benchmarks/ACE"),
  .executableTarget(
    name: "ingest-benchmark", dependencies: ["Configurations", "Platform", "VASP"], path: "Benchmarks/Ingest"),
  .executableTarget(
    name: "fit-benchmark",
    dependencies: [
      "ACE", "Regression", "TrainingRows", "Configurations", "VASP", "LinearAlgebra", "Platform", "TungstenReference",
    ], path: "Benchmarks/Fit", exclude: ["scale.sh"]),
  .executableTarget(
    name: "accuracy-benchmark",
    dependencies: ["ACE", "Regression", "TrainingRows", "Configurations", "VASP", "LinearAlgebra", "Platform"],
    path: "Benchmarks/Accuracy"),
  .executableTarget(
    name: "ensemble-benchmark",
    dependencies: [
      "ACE", "Regression", "TrainingRows", "Novelty", "Configurations", "VASP", "LinearAlgebra", "Platform",
    ],
    path: "Benchmarks/Ensembles"),
]

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies + ["TestSupport"])
}

let testTargets: [Target] = [
  .target(
    name: "TestSupport", dependencies: ["Configurations", "Platform"], path: "Tests/TestSupport"),
  // One harness for the laws that every stage must keep.
  .target(
    name: "StageLaws", dependencies: ["Engine", "StageKit", "Configurations", "Platform"],
    path: "Tests/StageLaws"),
  // Every reader under attack: mutations in `make test`, libFuzzer by hand (Tests/Fuzz/run.sh).
  .target(
    name: "FuzzTargets",
    dependencies: [
      "TestSupport", "Engine", "StageKit", "VASP", "ACE", "Regression", "LinearAlgebra", "Configurations", "Platform",
    ]
      + pluginNames, path: "Tests/Fuzz/Targets"),
  tests("FuzzTests", ["FuzzTargets", "Configurations", "Platform", "VASP", "Engine", "ACE", "LinearAlgebra"]),
  tests("PlatformTests", ["Platform"]),
  tests("ConfigurationsTests", ["Configurations", "Platform", "TungstenReference"]),
  tests("VASPTests", ["VASP", "Configurations", "Platform", "TungstenReference"]),
  tests("LinearAlgebraTests", ["LinearAlgebra"]),
  // The kernels once more, compiled for any x86-64 processor.
  .target(
    name: "PortableKernels", dependencies: ["CKernels", "CHouseholder", "CNeighbors"],
    path: "Tests/PortableKernels", cSettings: [.unsafeFlags(["-O1"])]),
  tests("KernelTests", ["CKernels", "CHouseholder", "CNeighbors", "PortableKernels"]),
  tests("ACETests", ["ACE", "Configurations", "LinearAlgebra"]),
  tests("RegressionTests", ["Regression", "LinearAlgebra", "Platform"]),
  tests("NoveltyTests", ["Novelty", "LinearAlgebra"]),
  tests("ReportTests", ["Report"]),
  tests("StageKitTests", ["StageKit", "Configurations", "Platform"]),
  tests("EngineTests", ["Engine", "StageKit", "StageLaws", "Configurations", "Platform"]),
  // Run the built program as a child process.
  tests(
    "CommandTests",
    ["ACE", "Configurations", "LinearAlgebra", "Platform", "StageKit", "TungstenReference", "VASP"]),
  tests(
    "PipelineTests",
    [
      "Engine", "StageKit", "StageLaws", "Configurations", "Platform", "TungstenReference", "VASP", "ACE",
      "LinearAlgebra", "Regression", "TrainingRows",
    ]
      + pluginNames),
]

// Only with libFuzzer's runtime named (Tests/Fuzz/run.sh does): everything is built to count its branches.
let fuzzers: [Target]
if let runtime = Context.environment["SLUICE_FUZZER_RUNTIME"] {
  for target in modules + plugins + testTargets where target.type == .regular {
    target.swiftSettings = [.unsafeFlags(["-sanitize=fuzzer"])]
  }
  for target in bindings where target.type == .regular {
    target.cSettings = [.unsafeFlags(["-O1", "-fsanitize=fuzzer-no-link"])]
  }
  fuzzers = [
    .executableTarget(
      name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Driver",
      linkerSettings: [.unsafeFlags([runtime]), .linkedLibrary("stdc++"), .linkedLibrary("m")])
  ]
} else {
  fuzzers = []
}

let package = Package(
  name: "sluice",
  products: [
    .executable(name: "sluice", targets: ["sluice"]),
    .library(name: "StageKit", targets: ["StageKit"]),
  ],
  targets: bindings + modules + plugins + programs + testTargets + fuzzers,
  swiftLanguageModes: [.v6]
)
