/// Why a viewer's bytes were refused: what came, what was expected. Ends the connection; never shown to the viewer in full.
public struct RFBRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Hashable, Sendable {
        /// A message that is not one of those a viewer of a lane may send: file transfer, scaling, chat.
        case unknownMessage = "unknown_message"
        /// A pixel format that no encoder can make.
        case pixelFormat = "pixel_format"
        case tooManyEncodings = "too_many_encodings"
        case cutTextTooLong = "cut_text_too_long"
        case fence
        /// What came from the inside is not the greeting that was agreed.
        case greeting
    }

    public let code: Code
    public let description: String

    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
