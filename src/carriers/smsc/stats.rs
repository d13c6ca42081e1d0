//! What the simulated SMSC counts. Totals since the start, and three levels.

/// Counters of one simulated SMSC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Connections that are open now.
    pub connections: u32,
    /// Of these, the bound ones.
    pub bound: u32,
    /// Receipts and inbound messages that wait to be sent now, due or not.
    pub waiting: u64,
    /// Binds accepted.
    pub binds: u64,
    /// `submit_sm` and `data_sm` read.
    pub submitted: u64,
    /// Of these, taken (answered or not).
    pub taken: u64,
    /// Refused, other than throttled.
    pub refused: u64,
    /// Refused with ESME_RTHROTTLED.
    pub throttled: u64,
    /// Taken and deliberately never answered.
    pub answers_lost: u64,
    /// Connections deliberately dropped in place of an answer, by time or by command.
    pub drops: u64,
    /// `deliver_sm` sent, repetitions included.
    pub delivers_sent: u64,
    /// `deliver_sm` answered ESME_ROK.
    pub delivers_acknowledged: u64,
    /// `deliver_sm` refused, unanswered or cut off, and therefore sent again.
    pub delivers_repeated: u64,
    /// PDUs answered with `generic_nack`.
    pub nacked: u64,
}
