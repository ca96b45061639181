import Glibc

/// Ends the process after a time, whatever else hangs. Source: alarm(2), whose default action is to terminate.
public enum Watchman {
    public static func end(after seconds: UInt32) {
        var alarms = sigset_t()
        sigemptyset(&alarms)
        sigaddset(&alarms, SIGALRM)
        pthread_sigmask(SIG_UNBLOCK, &alarms, nil)
        alarm(seconds)
    }
}
