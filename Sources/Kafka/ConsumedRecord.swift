import CRdKafka
import Glibc

/// A record as it lies in librdkafka's memory: valid only within the call that brings it.
///
/// Keep what has to stay by `KeptRecord(record)`.
public struct ConsumedRecord {
    let message: UnsafePointer<rd_kafka_message_t>
    /// The place of its span among those that are read.
    public let span: Int

    public enum TimestampKind: Hashable, Sendable {
        /// The producer's clock when the record was handed to it.
        case created
        /// The broker's clock when it was appended: `message.timestamp.type=LogAppendTime`.
        case appended
    }

    public var partition: Int32 { message.pointee.partition }
    public var offset: Int64 { message.pointee.offset }

    /// Nil where the record has none, which is not the same as an empty one.
    public var key: UnsafeRawBufferPointer? {
        message.pointee.key.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len) }
    }

    /// Nil is a tombstone.
    public var value: UnsafeRawBufferPointer? {
        message.pointee.payload.map { UnsafeRawBufferPointer(start: $0, count: message.pointee.len) }
    }

    /// Unix milliseconds, and whose clock; nil in the oldest message formats.
    public var timestamp: (milliseconds: Int64, kind: TimestampKind)? {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let time = rd_kafka_message_timestamp(message, &kind)
        switch kind {
        case RD_KAFKA_TIMESTAMP_CREATE_TIME: return (time, .created)
        case RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME: return (time, .appended)
        default: return nil
        }
    }

    /// Calls `body` with each header, in order; a value may be missing. The bytes need not be UTF-8.
    public func forEachHeader(_ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer?) -> Void) {
        var headers: OpaquePointer?
        guard rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR, let headers else { return }
        var place = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(headers, place, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            place += 1
            guard let name else { continue }
            body(
                UnsafeRawBufferPointer(start: name, count: strlen(name)),
                value.map { UnsafeRawBufferPointer(start: $0, count: size) })
        }
    }
}

/// A record that stays.
public struct KeptRecord: Hashable, Sendable {
    public struct Header: Hashable, Sendable {
        public var name: String
        public var value: [UInt8]?
    }

    public var topic: String
    public var partition: Int32
    public var offset: Int64
    /// Unix milliseconds; nil in the oldest message formats.
    public var timestamp: Int64?
    public var key: [UInt8]?
    /// Nil is a tombstone.
    public var value: [UInt8]?
    public var headers: [Header] = []

    init(_ record: ConsumedRecord, topic: String) {
        self.topic = topic
        partition = record.partition
        offset = record.offset
        timestamp = record.timestamp?.milliseconds
        key = record.key.map { Array($0) }
        value = record.value.map { Array($0) }
        record.forEachHeader { name, value in
            headers.append(Header(name: String(decoding: name, as: UTF8.self), value: value.map { Array($0) }))
        }
    }

    /// The first header of that name, as text.
    public subscript(header: String) -> String? {
        headers.first { $0.name == header }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}
