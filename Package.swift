// swift-tools-version: 6.2
import PackageDescription

// The import arrows of docs/explanation/architecture.md. `make build` passes
// `--explicit-target-dependency-import-check error`, so an import that is not listed here does not compile.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

func module(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [String] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: resources, swiftSettings: strict)
}

let package = Package(
    name: "lanewatch",
    products: [
        .executable(name: "lanewatch", targets: ["lanewatch"]),
        .executable(name: "lanewatch-view", targets: ["lanewatch-view"]),
        // For Benchmarks/, which is a package of its own.
        .library(
            name: "LanewatchParts",
            targets: [
                "Lane", "Rules", "Loop", "Net", "Outbox", "Kafka", "Delivery", "View", "Agent", "RFBClient",
                "ScreenBed",
            ]),
    ],
    targets: [
        // Debian's C libraries: a module map and a shim each, no policy.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CEvdev", pkgConfig: "libevdev", providers: [.apt(["libevdev-dev"])]),
        .systemLibrary(name: "CUdev", pkgConfig: "libudev", providers: [.apt(["libudev-dev"])]),
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CXKBCommon", pkgConfig: "xkbcommon", providers: [.apt(["libxkbcommon-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CVNCServer", pkgConfig: "libvncserver", providers: [.apt(["libvncserver-dev"])]),
        .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg", providers: [.apt(["libturbojpeg0-dev"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
        .systemLibrary(
            name: "CXCB", pkgConfig: "xcb",
            providers: [
                .apt([
                    "libxcb1-dev", "libxcb-shm0-dev", "libxcb-damage0-dev", "libxcb-randr0-dev", "libxcb-xtest0-dev",
                    "libxcb-xfixes0-dev",
                ])
            ]),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),

        // The core: values in, values out; no clock, no thread, no I/O.
        module("Lane"),
        module("YAML", ["Lane", "CYAML"]),
        module("Rules", ["Lane", "YAML", "CPCRE2"]),

        // The shell.
        module("Loop", ["CLinux"]),
        module("Feeds", ["Lane", "Loop", "Net", "CLinux", "CEvdev", "CUdev", "CXKBCommon"]),
        module("Outbox", ["Lane", "Loop", "CLinux", "CSQLite"]),
        module("Kafka", ["Loop", "CLinux", "CRdKafka"]),
        module("Delivery", ["Lane", "Loop", "Outbox", "Kafka"]),
        module("Verify", ["Lane", "CPCRE2"]),
        module("Net", ["Loop", "CLinux", "COpenSSL"]),
        module("Signing", ["COpenSSL"]),
        module("Screen", ["Lane", "Loop", "CLinux", "CXCB", "CXKBCommon"]),
        // The page's files are a part of the program: PageAssets.swift holds them.
        module(
            "View", ["Lane", "Loop", "Net", "Signing", "Screen", "CLinux", "CVNCServer", "CTurboJPEG"],
            resources: ["Page/Assets"]),
        module("CommandLine", ["Lane"]),
        module("Telemetry", ["Lane", "Loop", "Net", "CLinux", "CSystemd"]),
        module(
            "Agent",
            [
                "Lane", "YAML", "Rules", "Loop", "Feeds", "Outbox", "Kafka", "Delivery", "Net", "Signing",
                "CommandLine", "Telemetry", "CLinux",
            ]),
        .executableTarget(
            name: "lanewatch",
            dependencies: [
                "Agent", "CommandLine", "Lane", "YAML", "Rules", "Feeds", "Outbox", "Kafka", "Delivery", "Loop", "Net",
                "Telemetry", "Signing", "Verify", "CLinux",
            ],
            swiftSettings: strict),

        // The live view, in a process of its own: the agent's has no picture in it, and no code that draws one.
        .executableTarget(
            name: "lanewatch-view",
            dependencies: [
                "Agent", "Lane", "YAML", "Loop", "Net", "Screen", "Signing", "Telemetry", "View", "CLinux", "CPNG",
            ],
            swiftSettings: strict),

        // Never shipped.
        .systemLibrary(name: "CZlib", path: "Tests/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CJPEG", path: "Tests/CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
        .target(name: "RFBClient", dependencies: ["CZlib", "CJPEG"], path: "Tests/RFBClient", swiftSettings: strict),
        .target(name: "ScreenBed", dependencies: ["CXCB"], path: "Tests/ScreenBed", swiftSettings: strict),
        module("LaneTesting", ["Lane"]),
        .target(name: "KafkaBed", path: "Tests/KafkaBed", swiftSettings: strict),
        .target(name: "PostgresBed", path: "Tests/PostgresBed", swiftSettings: strict),
        .executableTarget(
            name: "bed-probe", dependencies: ["Feeds", "Lane", "Loop"], path: "Tests/BedProbe", swiftSettings: strict),
        tests("LaneTests", ["Lane", "LaneTesting", "YAML"]),
        tests("YAMLTests", ["YAML", "Lane"]),
        tests("RulesTests", ["Rules", "Lane", "YAML", "LaneTesting"], resources: ["Golden"]),
        tests("LoopTests", ["Loop", "CLinux"]),
        tests("FeedsTests", ["Feeds", "Lane", "Loop", "Net", "LaneTesting", "CLinux", "bed-probe"]),
        .executableTarget(
            name: "outbox-probe", dependencies: ["Outbox", "Kafka", "Delivery", "Lane", "Loop"],
            path: "Tests/OutboxProbe", swiftSettings: strict),
        tests("OutboxTests", ["Outbox", "Lane", "Loop", "LaneTesting", "CLinux", "CSQLite", "outbox-probe"]),
        tests("KafkaTests", ["Kafka", "Loop", "KafkaBed", "CLinux", "CRdKafka"]),
        tests(
            "DeliveryTests",
            ["Delivery", "Outbox", "Kafka", "Lane", "Loop", "LaneTesting", "KafkaBed", "CLinux", "outbox-probe"]),
        .target(name: "FaultParts", dependencies: ["CSQLite"], path: "Tests/FaultParts", swiftSettings: strict),
        .executableTarget(
            name: "faults",
            dependencies: [
                "FaultParts", "Agent", "Delivery", "Feeds", "Kafka", "KafkaBed", "Lane", "Loop", "Outbox",
                "PostgresBed",
                "Telemetry",
            ], path: "Tests/Faults", swiftSettings: strict),
        tests("FaultsTests", ["FaultParts"]),
        tests("ConsumerTests", ["PostgresBed", "KafkaBed", "outbox-probe"], resources: ["lanes.py", "faulty.py"]),
        tests("VerifyTests", ["Verify", "Lane", "LaneTesting"]),
        tests("NetTests", ["Net", "Loop", "CLinux", "COpenSSL"]),
        tests("SigningTests", ["Signing"]),
        // A till to watch, driven by lines.
        .executableTarget(
            name: "demo-kiosk", dependencies: ["CXCB", "CLinux"], path: "Tests/Kiosk", swiftSettings: strict),
        tests("ScreenTests", ["Screen", "Lane", "Loop", "CLinux", "CXCB", "demo-kiosk"]),
        tests(
            "ViewTests",
            [
                "View", "Screen", "Lane", "Loop", "Net", "Signing", "CLinux", "COpenSSL", "CVNCServer", "RFBClient",
                "ScreenBed", "lanewatch-view",
            ]),
        tests("CommandLineTests", ["CommandLine"]),
        tests("TelemetryTests", ["Telemetry", "Lane", "Loop", "Net", "CLinux"]),
        tests(
            "Integration",
            [
                "Delivery", "Feeds", "Kafka", "Lane", "LaneTesting", "Loop", "Net", "Outbox", "KafkaBed", "lanewatch",
                "lanewatch-view", "bed-probe",
            ]),
        .executableTarget(
            name: "crash-probe", dependencies: ["Agent", "Feeds", "Lane", "Loop", "Outbox", "Rules"],
            path: "Tests/CrashProbe", swiftSettings: strict),
        tests(
            "AgentTests",
            [
                "Agent", "Signing", "Lane", "YAML", "Rules", "Loop", "Feeds", "Outbox", "Kafka", "Delivery", "Net",
                "CLinux",
                "crash-probe",
            ]),
    ],
    swiftLanguageModes: [.v6]
)
