extension Metric {
    // Every metric of the agent. Add one here, and it is on the page's table and in docs/reference/metrics.md.

    private static let delays: [Double] = [
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300,
    ]

    // Stages: feeds, the merge point, the outbox, delivery. At any time in = out + dropped + held.
    public static let stageIn = Metric(
        "lanewatch_stage_in_total", .counter, "What came into a stage", labels: ["stage"])
    public static let stageOut = Metric(
        "lanewatch_stage_out_total", .counter, "What a stage passed on", labels: ["stage"])
    public static let stageDropped = Metric(
        "lanewatch_stage_dropped_total", .counter, "What a stage dropped, by reason", labels: ["stage", "reason"])
    public static let stageHeld = Metric("lanewatch_stage_held", .gauge, "What a stage holds now", labels: ["stage"])
    public static let gaps = Metric(
        "lanewatch_gaps_total", .counter, "Holes in what a feed could see", labels: ["feed"])
    public static let attributesIgnored = Metric(
        "lanewatch_attributes_ignored_total", .counter,
        "Attributes left out because the catalogue does not declare them, or not of that kind", labels: ["feed"])
    public static let devicesAttached = Metric(
        "lanewatch_devices_attached", .gauge, "Whether a configured device is open", labels: ["device"])

    // Rules.
    public static let signals = Metric(
        "lanewatch_signals_total", .counter, "Signals that the engine has taken", labels: ["type"])
    public static let interventions = Metric(
        "lanewatch_interventions_total", .counter, "Changes of interventions, without those of shadow rules",
        labels: ["rule", "change"])
    public static let interventionsOpen = Metric(
        "lanewatch_interventions_open", .gauge,
        "Interventions that are raised and not cleared, without those of shadow rules",
        labels: ["severity"])
    public static let suppressed = Metric(
        "lanewatch_rule_suppressed_total", .counter, "Times a rule fired and called nobody, by reason",
        labels: ["reason"])
    public static let ruleInfo = Metric(
        "lanewatch_rule_info", .gauge, "Always 1; its labels tell a rule's severity, and whether it calls (on, shadow)",
        labels: ["rule", "severity", "mode"])
    public static let ruleFired = Metric(
        "lanewatch_rule_fired_total", .counter, "Interventions that a rule raised; kept over restarts", labels: ["rule"]
    )
    public static let ruleActive = Metric(
        "lanewatch_rule_active", .gauge, "Interventions of a rule that are raised and not cleared", labels: ["rule"])
    public static let ruleLastFired = Metric(
        "lanewatch_rule_last_fired_seconds", .gauge, "When a rule was raised last, as Unix time", labels: ["rule"])
    public static let ruleVerdicts = Metric(
        "lanewatch_rule_verdicts_total", .counter, "What attendants said of a rule's interventions; kept over restarts",
        labels: ["rule", "verdict"])
    public static let verdictsStray = Metric(
        "lanewatch_verdicts_stray_total", .counter,
        "Verdicts that found no intervention of this lane, or one too long ago")
    public static let droppedByGap = Metric(
        "lanewatch_rule_dropped_by_gap_total", .counter,
        "Waits and counts given up because an answer may have come unseen")
    public static let assumed = Metric(
        "lanewatch_rule_assumed_total", .counter,
        "Waits that went on over a long gap because their state was found as it had been")
    public static let lateTimers = Metric(
        "lanewatch_rule_late_timers_total", .counter, "Timers that ran late enough to say so")
    public static let ruleLimits = Metric(
        "lanewatch_rule_limits_total", .counter,
        "Times a bound of the engine was reached: keys of a rule (the oldest is dropped), key_bytes (the value is cut), active interventions (one more is not raised), pattern (the value does not match)",
        labels: ["limit"])
    public static let detection = Metric(
        "lanewatch_detection_seconds", .histogram(delays),
        "From the receipt of a signal, or a timer's deadline, until its change was on disk")
    public static let rulesLoaded = Metric(
        "lanewatch_rules_loaded", .gauge, "Rules in force", labels: ["digest"])
    public static let reloads = Metric(
        "lanewatch_reloads_total", .counter, "Reloads of rules and configuration", labels: ["outcome"])
    public static let rollbacks = Metric(
        "lanewatch_rules_rollbacks_total", .counter, "Rule sets that raised far too much and were rolled back")
    public static let trialRaised = Metric(
        "lanewatch_rules_trial_raised", .gauge,
        "Interventions raised by the rule set that is on trial; absent without one")
    public static let trialLimit = Metric(
        "lanewatch_rules_trial_limit", .gauge, "A rule set on trial that raises more is rolled back; absent without one"
    )

    // The outbox.
    public static let outboxMessages = Metric(
        "lanewatch_outbox_messages", .gauge, "Messages that are not delivered yet")
    public static let outboxOldest = Metric(
        "lanewatch_outbox_oldest_seconds", .gauge, "Age of the oldest message that is not delivered yet")
    public static let outboxCommits = Metric("lanewatch_outbox_commits_total", .counter, "Commits to disk")
    public static let outboxCommitSeconds = Metric(
        "lanewatch_outbox_commit_seconds_total", .counter, "Time spent in commits")
    public static let outboxFailures = Metric(
        "lanewatch_outbox_failures_total", .counter, "Commits that failed, by reason", labels: ["reason"])

    public static let outboxDropped = Metric(
        "lanewatch_outbox_dropped_total", .counter,
        "Messages given up before they were delivered: age, full, damaged; the stream tells which",
        labels: ["topic", "reason"])
    public static let outboxUsed = Metric(
        "lanewatch_outbox_used_bytes", .gauge, "Bytes of the outbox that hold something")
    public static let outboxLimit = Metric(
        "lanewatch_outbox_limit_bytes", .gauge, "Past this many bytes in use messages are given up, or none is taken")
    public static let outboxFile = Metric(
        "lanewatch_outbox_file_bytes", .gauge, "Bytes of the outbox on the disk, by part: database, log, aside",
        labels: ["part"])
    public static let outboxTrouble = Metric(
        "lanewatch_outbox_trouble", .gauge, "1 while the outbox takes no commits, by reason; absent while it does",
        labels: ["reason"])
    public static let outboxReplaced = Metric(
        "lanewatch_outbox_replaced_total", .counter, "Databases that were damaged or gone, and were begun anew")
    public static let outboxAside = Metric(
        "lanewatch_outbox_aside_files", .gauge, "Damaged databases that were set aside and lie in the state folder")

    // Delivery.
    public static let handedOver = Metric(
        "lanewatch_delivery_handed_over_total", .counter, "Messages given to the producer; one sent again counts again")
    public static let acknowledged = Metric(
        "lanewatch_delivery_acknowledged_total", .counter, "Messages that the brokers have acknowledged")
    public static let returned = Metric(
        "lanewatch_delivery_returned_total", .counter, "Messages taken back to be sent again")
    public static let inFlight = Metric(
        "lanewatch_delivery_in_flight", .gauge, "Messages with the producer that have no report yet")
    public static let deliveryFailures = Metric(
        "lanewatch_delivery_failures_total", .counter, "Failed delivery reports, by error", labels: ["error"])
    public static let deadLetters = Metric(
        "lanewatch_dead_letters_total", .counter, "Messages set aside because no broker will ever take them")
    public static let quarantineMessages = Metric(
        "lanewatch_quarantine_messages", .gauge, "Messages in quarantine, which no broker takes")
    public static let quarantineBytes = Metric(
        "lanewatch_quarantine_bytes", .gauge, "Bytes of the messages in quarantine")
    public static let quarantineResolved = Metric(
        "lanewatch_quarantine_resolved_total", .counter, "Messages that people took out of the quarantine",
        labels: ["deed"])
    public static let drainRate = Metric(
        "lanewatch_drain_messages_per_second", .gauge, "How fast a backlog goes down; 0 without one")
    public static let drainLeft = Metric(
        "lanewatch_drain_left_seconds", .gauge, "Until a backlog is delivered, if it goes on like this; 0 without one")
    public static let lostWakeUps = Metric(
        "lanewatch_delivery_lost_wakeups_total", .counter,
        "Messages found by the look every 10 s that no commit had told of: a fault of the agent")
    public static let staleRestarts = Metric(
        "lanewatch_producer_restarts_stale_total", .counter,
        "Producers made anew because a message had no report for 2 min")
    public static let unreadable = Metric(
        "lanewatch_outbox_unreadable_total", .counter,
        "Messages that were kept and cannot be read any more: the database is damaged")
    public static let producerRestarts = Metric(
        "lanewatch_producer_restarts_total", .counter, "Producers made anew after a failure")
    public static let acknowledgeDelay = Metric(
        "lanewatch_acknowledge_seconds", .histogram(delays), "From the hand-over to the brokers' acknowledgement")
    public static let deliveryDelay = Metric(
        "lanewatch_delivery_seconds", .histogram(delays), "From the commit to the brokers' acknowledgement")
    public static let topicsHeld = Metric(
        "lanewatch_topics_held", .gauge, "Whether a topic is not being sent to", labels: ["topic", "reason"])
    public static let linkState = Metric(
        "lanewatch_kafka_link", .gauge, "1 for how the lane is connected with Kafka now, 0 for the rest",
        labels: ["state"])
    public static let linkFault = Metric(
        "lanewatch_kafka_link_fault", .gauge,
        "1 for why there is no link to Kafka; absent while there is one", labels: ["cause", "broker"])
    public static let linkSince = Metric(
        "lanewatch_kafka_link_since_seconds", .gauge, "Since when the link is as it is, as Unix time")
    public static let linkFaults = Metric(
        "lanewatch_kafka_link_faults_total", .counter, "Failed connections to brokers, by cause", labels: ["cause"])
    public static let brokersUp = Metric(
        "lanewatch_kafka_brokers_up", .gauge, "Brokers that are connected, by librdkafka's last statistics")

    // The agent itself.
    public static let build = Metric(
        "lanewatch_build_info", .gauge, "Always 1; its labels tell the versions", labels: ["version", "librdkafka"])
    public static let health = Metric(
        "lanewatch_health", .gauge, "Health by check: 0 failed, 1 degraded, 2 ok", labels: ["check"])
    public static let wakeUps = Metric("lanewatch_loop_wake_ups_total", .counter, "Wake-ups of the lane's thread")
    public static let logRecords = Metric(
        "lanewatch_log_records_total", .counter, "Records written to the log", labels: ["level"])
    public static let logDropped = Metric(
        "lanewatch_log_dropped_total", .counter, "Log records dropped because the log was too slow")
    public static let pages = Metric(
        "lanewatch_http_answers_total", .counter, "Answers of the metrics server", labels: ["status"])
    public static let processCPU = Metric(
        "process_cpu_seconds_total", .counter, "User and system CPU time spent in seconds")
    public static let processMemory = Metric(
        "process_resident_memory_bytes", .gauge, "Resident memory size in bytes")
    public static let processDescriptors = Metric("process_open_fds", .gauge, "Number of open file descriptors")
    public static let processStart = Metric(
        "process_start_time_seconds", .gauge, "Start time of the process since unix epoch in seconds")

    public static let table: [Metric] = [
        stageIn, stageOut, stageDropped, stageHeld, gaps, attributesIgnored, devicesAttached, signals, interventions,
        interventionsOpen, suppressed, droppedByGap, assumed, lateTimers, ruleLimits, ruleInfo, ruleFired, ruleActive,
        ruleLastFired, ruleVerdicts, verdictsStray, detection, rulesLoaded, reloads, rollbacks, trialRaised, trialLimit,
        outboxMessages, outboxOldest,
        outboxCommits, outboxCommitSeconds, outboxFailures, outboxDropped, outboxUsed, outboxLimit, outboxFile,
        outboxTrouble, outboxReplaced, outboxAside, handedOver, acknowledged, returned, inFlight,
        deliveryFailures, deadLetters, quarantineMessages, quarantineBytes, quarantineResolved, drainRate,
        drainLeft, lostWakeUps, staleRestarts, unreadable, producerRestarts, acknowledgeDelay, deliveryDelay,
        topicsHeld, linkState, linkFault, linkSince, linkFaults, brokersUp, build,
        health,
        wakeUps, logRecords, logDropped, pages, processCPU, processMemory, processDescriptors, processStart,
    ]
}
