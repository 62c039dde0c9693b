//! Promises broken on purpose: the simulation must notice each.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// The server acks what it has not committed yet.
    AckBeforeCommit,
    /// The page deletes an item when it sends it.
    DeleteOnSend,
    /// A page that opens gives out numbers of the page before it once more.
    Renumber,
    /// The ledger stores items of a writer that was fenced off.
    ForgetEpoch,
    /// The server welcomes whoever says `Hello` last, however late that arrives.
    FollowLateHello,
    /// The page does not write down the numbers of what it sends from memory.
    ForgetNotes,
    /// The ledger replaces an item by another under the same number.
    StoreSecondDigest,
    /// The page drops what the server's full disk did not take.
    DropOnDiskFull,
    /// The server says that it has what it does not have.
    AckLost,
    /// The server finishes a session without looking for what is missing.
    FinishUnchecked,
    /// The server lets payloads go before the recording is durable.
    DropPayloadsEarly,
    /// A page that is left does not write down the number of its tail.
    ForgetTailNumber,
    /// A page does not look for what the page before it put aside when it was left.
    ForgetStash,
    /// The server refuses a damaged item for good, because the damage breaks a limit.
    LimitsBeforeDigest,
    /// A writer that lives does not bring its session back from interrupted.
    IgnoreHeartbeat,
    /// The courier opens the session as a writer of its own.
    CourierTakesOver,
    /// A recording of what was there before the end completes the session.
    CompleteWithPartial,
    /// A page that opens begins with a segment of the page before it once more.
    RepeatSegment,
    /// The page takes a run for over before that has handed over the rest.
    EndBeforeRest,
    /// The page does not hear that a microphone is there again.
    IgnoreDevices,
    /// The spool says that it has what it is only about to write.
    SpooledTooSoon,
    /// Nothing is made of what comes after the end.
    ForgetSupplement,
}
