// swift-tools-version: 6.2
import PackageDescription

// Fuzz targets are a package of their own, so that nothing of them is built or shipped with the product. `make fuzz`
// builds it with coverage in every module: see scripts/fuzz for the flags.
let package = Package(
    name: "lanewatch-fuzz",
    dependencies: [.package(name: "lanewatch", path: "..")],
    targets: [
        .systemLibrary(name: "CLibFuzzer"),
        .executableTarget(
            name: "lanewatch-fuzz",
            dependencies: ["CLibFuzzer", .product(name: "LanewatchParts", package: "lanewatch")],
            swiftSettings: [.treatAllWarnings(as: .error)]),
    ],
    swiftLanguageModes: [.v6]
)
