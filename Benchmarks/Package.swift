// swift-tools-version: 6.2
import PackageDescription

// Benchmarks are a package of their own, so that nothing of them is built or shipped with the product.
let package = Package(
    name: "lanewatch-benchmarks",
    dependencies: [.package(name: "lanewatch", path: "..")],
    targets: [
        .systemLibrary(name: "CMalloc"),
        .executableTarget(
            name: "lanewatch-bench",
            dependencies: ["CMalloc", .product(name: "LanewatchParts", package: "lanewatch")],
            swiftSettings: [.treatAllWarnings(as: .error)]),
    ],
    swiftLanguageModes: [.v6]
)
