#pragma once
#include <sqlite3.h>

// SQLITE_TRANSIENT is a cast that does not import: the library copies what is bound.
static inline int lw_bind_text(sqlite3_stmt *s, int i, const char *text, int length) {
  return sqlite3_bind_text(s, i, text, length, SQLITE_TRANSIENT);
}
static inline int lw_bind_blob(sqlite3_stmt *s, int i, const void *bytes, int length) {
  return sqlite3_bind_blob(s, i, bytes, length, SQLITE_TRANSIENT);
}

// The last connection to close leaves the log as it is: variadic in C. A start takes it up.
// Source: <https://www.sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose>
static inline int lw_leave_log(sqlite3 *database) {
  return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}
