import Lane

/// What the page has to know before anybody is let in: the lane's name, which its certificate has too, and which ways are open.
struct LaneCard {
    private let options: Page.Options

    init(_ options: Page.Options) { self.options = options }

    var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("lane", options.label)
            json.name("ways")
            json.array { json in for way in ways { json.value(way) } }
        }
        return json.bytes
    }

    private var ways: [String] {
        var ways: [String] = []
        if options.policy.token { ways.append("token") }
        if options.policy.password != nil { ways.append("password") }
        if options.policy.code { ways.append("code") }
        if options.policy.none != nil { ways.append("none") }
        return ways
    }
}
