/// The version of this build, as `--version`, messages and metrics tell it.
public enum Version {
    public static let text = "0.1.0"
}
