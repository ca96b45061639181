import CSQLite

/// The SQLite in use.
public enum SQLiteVersion {
    /// `3.40.1`. Source: sqlite3_libversion(3).
    public static var current: String { String(cString: sqlite3_libversion()) }
}
