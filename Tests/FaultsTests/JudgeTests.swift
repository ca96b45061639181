import FaultParts
import Testing

/// A harness that calls a broken log clean proves nothing: each kind of break, made by hand.
struct JudgeTests {
    /// `count` signals, each raised and cleared, in order.
    private func log(_ count: Int) -> [Record] {
        (0..<count * 2).map { place in
            Record(
                offset: place, id: "id-\(place)", kind: place % 2 == 0 ? .raised : .cleared, seq: place + 1,
                number: place / 2 + 1)
        }
    }

    private func verdict(
        _ records: [Record], _ count: Int = 10, _ change: (inout Allowance) -> Void = { _ in }
    ) -> Verdict {
        var allowance = Allowance()
        change(&allowance)
        return Judge.verdict(records, answered: Array(1...count), allowance)
    }

    @Test func aWholeLogIsClean() {
        let verdict = verdict(log(10))
        #expect(verdict.isClean && verdict.answered == 10 && verdict.records == 20 && verdict.epochs == 1)
    }

    @Test func aRecordThatIsMissingIsAGapAndALoss() {
        var records = log(10)
        records.remove(at: 6)
        let found = verdict(records)
        #expect(found.gaps == 1 && found.lost == 1 && !found.isClean)
    }

    @Test func aGapThatIsToldIsNoGap() throws {
        var records = log(10)
        records.removeSubrange(4..<8)
        records[4] = Record(offset: 8, id: "drop", kind: .dropped, seq: 9, number: nil)
        #expect(verdict(records) { $0.setAside = [3, 4, 5] }.gaps == 4)
        records[4].told = 5...9
        let found = verdict(records) { $0.setAside = [3, 4, 5] }
        #expect(found.gaps == 0 && found.told == 4 && found.setAside == 3 && found.isClean)
        #expect(verdict(records).lost == 3)
    }

    @Test func aMessageThatTellsOfAGap() throws {
        let text =
            "0\t9\tce_id=d,ce_source=s,ce_type=sco.messages.dropped.v1,ce_sequence=00000700000000000009\t"
            + "{\"first\":\"00000700000000000005\",\"last\":\"00000700000000000009\",\"count\":5}"
        let record = try #require(Record(line: Array(text.utf8)[...]))
        #expect(record.kind == .dropped && record.told == 5...9)
    }

    /// The end of the log is no gap: nothing comes after it. The ledger alone knows.
    @Test func theEndThatIsMissingIsALoss() {
        let found = verdict(Array(log(10).dropLast(2)))
        #expect(found.gaps == 0 && found.lost == 1 && !found.isClean)
    }

    @Test func anInterventionThatNeverEndsIsALossWhereTheEngineWasNotTouched() {
        let records = Array(log(10).dropLast(1))
        #expect(verdict(records).lost == 1)
        #expect(verdict(records) { $0.judgesClears = false }.isClean)
    }

    @Test func repeatsAreCleanWhereAFaultExplainsThem() {
        let records = log(10) + log(10).suffix(4)
        let unexplained = verdict(records)
        #expect(unexplained.doubledBefore == 4 && unexplained.unexplained == 4 && !unexplained.isClean)
        let explained = verdict(records) { $0.resends = 1 }
        #expect(explained.isClean && explained.doubledBefore == 4 && explained.doubledAfter == 0)
        #expect(
            !verdict(records) {
                $0.resends = 1; $0.window = 3
            }.isClean)
    }

    @Test func firstAppearancesInAnotherOrderAreReordered() {
        var records = log(10)
        records.swapAt(4, 6)
        let found = verdict(records)
        #expect(found.reordered > 0 && found.lost == 0 && found.gaps == 0 && !found.isClean)
    }

    /// The sequence is whole, and yet signals have changed places before they got one.
    @Test func signalsInAnotherOrderThanWrittenAreReordered() {
        var records = log(10)
        (records[4].number, records[6].number) = (records[6].number, records[4].number)
        #expect(verdict(records).reordered == 1)
    }

    @Test func aRepeatBehindLaterOnesIsNoReordering() {
        let records = log(10) + log(10).prefix(3)
        #expect(verdict(records) { $0.resends = 1 }.reordered == 0)
    }

    @Test func oneSequenceForTwoMessagesIsADouble() {
        var records = log(10)
        records[7].seq = records[6].seq
        #expect(verdict(records).doubledAfter == 1)
    }

    /// A lane that never heard of its message's arrival drops or withholds it afterwards.
    @Test(arguments: [Record.Kind.dropped, .withheld])
    func whatStandsInForAMessageThatCameIsARepeat(kind: Record.Kind) {
        let standIn = Record(offset: 20, id: "a stand-in", kind: kind, seq: 5, number: nil)
        #expect(verdict(log(10) + [standIn]).isClean)
        let stranger = Record(offset: 20, id: "a stand-in", kind: .other, seq: 5, number: nil)
        #expect(!verdict(log(10) + [stranger]).isClean)
    }

    @Test func oneSignalWithTwoEffectsIsADouble() {
        let twice = Record(offset: 20, id: "another", kind: .raised, seq: 21, number: 10)
        let found = verdict(log(10) + [twice])
        #expect(found.doubledAfter == 1 && !found.isClean)
    }

    /// An engine that was set back with its database tells again what it told: the id is the same, the number is a new epoch's.
    @Test func aMessageWithANewNumberIsNoGap() {
        var again = log(10)[18]
        again.offset = 20
        again.seq = 1
        again.epoch = 2
        let records = log(10) + [again]
        let found = verdict(records) {
            $0.mostEpochs = 2
            $0.resends = 1
        }
        #expect(found.isClean && found.gaps == 0 && found.doubledBefore == 1)
        #expect(verdict(records) { $0.resends = 1 }.doubledAfter == 1)
    }

    @Test func anEpochThatNothingExplainsIsNotClean() {
        var records = log(10)
        for place in 10..<20 {
            records[place].epoch = 2
            records[place].seq -= 10
        }
        #expect(verdict(records).strangeEpochs == 1 && !verdict(records).isClean)
        #expect(verdict(records) { $0.mostEpochs = 2 }.isClean)
    }

    @Test func whatIsSetAsideOrWithheldIsNotLost() {
        let records = log(9)
        let aside = verdict(records) { $0.setAside = [10] }
        #expect(aside.isClean && aside.setAside == 1)
        let withheld = verdict(records) { $0.withheld = [10] }
        #expect(withheld.isClean && withheld.withheld == 1)
    }

    @Test func aDeletedTopicIsJudgedFromTheFirstUnacknowledgedMessageOn() {
        let records = Array(log(10).dropFirst(8))
        #expect(!verdict(records).isClean)
        #expect(verdict(records) { $0.from = .init(epoch: 1, seq: 9) }.isClean)
        // The new log begins too late.
        let late = verdict(records) { $0.from = .init(epoch: 1, seq: 7) }
        #expect(late.gaps == 2 && !late.isClean)
    }

    @Test func partitionsAreOrderedEachForItself() {
        var records = log(10)
        for place in 10..<20 { records[place].partition = 1 }
        records = Array(records[10...]) + Array(records[..<10])
        #expect(verdict(records).isClean)
    }

    @Test func aLineOfKcat() throws {
        let text =
            "3\t17\tce_id=abc,ce_source=/stores/0042/lanes/f1,ce_type=sco.intervention.raised.v1,ce_sequence=00048900000000000017"
            + "\t{\"key\":{\"code\":\"\(Ledger.code(42))\"}}"
        let record = try #require(Record(line: Array(text.utf8)[...]))
        #expect(record.partition == 3 && record.offset == 17 && record.id == "abc" && record.kind == .raised)
        #expect(record.epoch == 489 && record.seq == 17 && record.number == 42)
        #expect(Record(line: Array("nothing of ours".utf8)[...]) == nil)
        #expect(
            Ledger.numbers(anywhereIn: Array("xx\(Ledger.code(7))\u{0}NNN\(Ledger.code(123456))N00".utf8)) == [
                7, 123456,
            ])
    }
}
