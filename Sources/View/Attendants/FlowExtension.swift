import CVNCServer
import Glibc
import Screen

/// What one viewer has agreed on for the flow of pictures.
struct Flow {
    /// Asked for with its encodings, not yet said yes to.
    var fenceIsNew = false
    var continuousIsNew = false
    var hasFence = false
    var hasContinuous = false
    /// What changes here is sent without being asked for.
    var continuous: PixelRect?
    /// Messages to the viewer that wait for the end of the one being read.
    var answers: [[UInt8]] = []
}

/// Fence and ContinuousUpdates, which libvncserver does not know, by its interface for extensions.
///
/// With ContinuousUpdates a viewer does not ask for each picture, which saves a round trip a picture on long lines; the gate's limit
/// of unsent bytes keeps it from being flooded. A fence comes back when everything before it was done: viewers measure with it.
/// Source: the community's rfbproto, "Fence Pseudo-encoding", "ContinuousUpdates Pseudo-encoding".
enum FlowExtension {
    private static let clientFence: UInt8 = 248
    private static let enableContinuousUpdates: UInt8 = 150
    private static let isRequest: UInt32 = 1 << 31
    /// BlockBefore, BlockAfter, SyncNext: one thread reads and answers in order, so all three hold by themselves.
    private static let known: UInt32 = 7

    /// Before the first thread that uses the library: its list of extensions is looked at by all.
    static func register() {
        let encodings = UnsafeMutablePointer<Int32>.allocate(capacity: 3)
        encodings[0] = RFBEncoding.fence
        encodings[1] = RFBEncoding.continuousUpdates
        encodings[2] = 0
        // The library keeps it as long as the process lives.
        let made = UnsafeMutablePointer<rfbProtocolExtension>.allocate(capacity: 1)
        made.initialize(to: rfbProtocolExtension())
        made.pointee.pseudoEncodings = encodings
        made.pointee.enablePseudoEncoding = { client, _, encoding in
            // Under a lock of the whole library: nothing is written here.
            guard let attendant = Attendant.of(client) else { return 0 }
            switch encoding {
            case RFBEncoding.fence: attendant.flow.fenceIsNew = !attendant.flow.hasFence
            case RFBEncoding.continuousUpdates: attendant.flow.continuousIsNew = !attendant.flow.hasContinuous
            default: return 0
            }
            return -1
        }
        made.pointee.handleMessage = { client, _, message in
            guard let client, let message, let attendant = Attendant.of(client) else { return 0 }
            return FlowExtension.read(message.pointee.type, client, attendant) ? -1 : 0
        }
        rfbRegisterProtocolExtension(made)
    }

    /// Frees what the library made for the client's extensions and does not free itself.
    static func release(_ client: UnsafeMutablePointer<rfbClientRec>) {
        while let first = client.pointee.extensions {
            client.pointee.extensions = first.pointee.next
            free(first)
        }
    }

    /// Reads the rest of a message. It is whole, so nothing here waits.
    private static func read(
        _ type: UInt8, _ client: UnsafeMutablePointer<rfbClientRec>, _ attendant: Attendant
    ) -> Bool {
        switch type {
        case clientFence:
            guard let head = bytes(8, of: client), let payload = bytes(Int(head[7]), of: client) else { return true }
            let flags = head[3..<7].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            // One that asks nothing answers the fence by which we said that we know them.
            guard flags & isRequest != 0 else { return true }
            attendant.flow.answers.append(fence(flags & known, payload))
            return true
        case enableContinuousUpdates:
            guard let rest = bytes(9, of: client) else { return true }
            func two(_ place: Int) -> Int { Int(rest[place]) << 8 | Int(rest[place + 1]) }
            if rest[0] != 0 {
                attendant.flow.continuous = PixelRect(x: two(1), y: two(3), width: two(5), height: two(7))
            } else {
                attendant.flow.continuous = nil
                // What was asked for in its name is no wish of the viewer's any more; with this answer it asks anew.
                sraRgnMakeEmpty(client.pointee.requestedRegion)
                attendant.flow.answers.append([enableContinuousUpdates])
            }
            return true
        default: return false
        }
    }

    /// - Returns: nil where the gate is gone; the client is closed then.
    private static func bytes(_ count: Int, of client: UnsafeMutablePointer<rfbClientRec>) -> [UInt8]? {
        var found = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return found }
        let code = found.withUnsafeMutableBytes {
            rfbReadExact(client, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(count))
        }
        if code > 0 { return found }
        rfbCloseClient(client)
        return nil
    }

    /// ServerFence. Source: as above.
    static func fence(_ flags: UInt32, _ payload: [UInt8]) -> [UInt8] {
        [clientFence, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: flags >> UInt32(24 - 8 * $0)) }
            + [UInt8(truncatingIfNeeded: payload.count)] + payload
    }

    /// By these a viewer learns that both are known here.
    static let fenceHello = fence(isRequest, [])
    static let continuousHello: [UInt8] = [enableContinuousUpdates]
}

extension Attendant {
    /// Sends what waits to be answered, between two messages.
    func answer(_ client: Client) {
        if flow.fenceIsNew {
            (flow.fenceIsNew, flow.hasFence) = (false, true)
            flow.answers.append(FlowExtension.fenceHello)
        }
        if flow.continuousIsNew {
            (flow.continuousIsNew, flow.hasContinuous) = (false, true)
            flow.answers.append(FlowExtension.continuousHello)
        }
        guard !flow.answers.isEmpty else { return }
        for bytes in flow.answers where client.pointee.sock >= 0 {
            write(bytes, to: client)
            tally.fences += 1
        }
        flow.answers.removeAll()
    }

    /// Closes the client where the gate is gone.
    func write(_ bytes: [UInt8], to client: Client) {
        guard client.pointee.sock >= 0 else { return }
        let code = bytes.withUnsafeBytes {
            rfbWriteExact(client, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32($0.count))
        }
        if code <= 0 { rfbCloseClient(client) }
    }
}
