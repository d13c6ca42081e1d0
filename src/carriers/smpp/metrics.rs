//! What a carrier's links count. Labels are the carrier's name and protocol words, never numbers
//! of people and never content.

use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use rusmpp::CommandStatus;

/// The handles of one carrier account, looked up once.
pub(super) struct Meters {
    carrier: String,
    /// submit_sm written.
    pub submitted: Counter,
    /// submit_sm answered with success.
    pub accepted: Counter,
    /// submit_sm never answered in time, or lost with their link.
    pub uncertain: Counter,
    /// Answers to what was no longer waited for.
    pub late: Counter,
    /// Receipts passed on.
    pub receipts: Counter,
    /// Messages from phones passed on.
    pub inbound: Counter,
    /// Deliveries that could not be read.
    pub unreadable: Counter,
    /// Deliveries that were not acknowledged in the house, so the carrier is asked again.
    pub not_acknowledged: Counter,
    /// From submit_sm to its answer.
    pub answer_s: Histogram,
    /// Links bound for sending.
    pub bound: Gauge,
    /// The rate that the carrier is now sent at.
    pub rate: Gauge,
}

impl Meters {
    pub fn new(carrier: &str) -> Self {
        describe();
        let label = || [("carrier", carrier.to_owned())];
        Self {
            submitted: counter!("smpp_parts_submitted_total", &label()),
            accepted: answered(carrier, "ESME_ROK"),
            uncertain: counter!("smpp_parts_uncertain_total", &label()),
            late: counter!("smpp_answers_late_total", &label()),
            receipts: counter!("smpp_receipts_total", &label()),
            inbound: counter!("smpp_inbound_total", &label()),
            unreadable: counter!("smpp_deliveries_unreadable_total", &label()),
            not_acknowledged: counter!("smpp_deliveries_not_acknowledged_total", &label()),
            answer_s: histogram!("smpp_answer_seconds", &label()),
            bound: gauge!("smpp_links_bound", &label()),
            rate: gauge!("smpp_rate_parts_per_second", &label()),
            carrier: carrier.to_owned(),
        }
    }

    /// A submit_sm was answered with something else than success.
    pub fn refused(&self, status: u32) {
        answered(&self.carrier, &status_name(status)).increment(1);
    }

    /// A query_sm ended.
    pub fn queried(&self, outcome: &'static str) {
        let labels = [("carrier", self.carrier.clone()), ("outcome", outcome.to_owned())];
        counter!("smpp_queries_total", &labels).increment(1);
    }

    /// A bind ended with this status.
    pub fn bind_refused(&self, status: u32) {
        let labels = [("carrier", self.carrier.clone()), ("status", status_name(status))];
        counter!("smpp_binds_refused_total", &labels).increment(1);
    }
}

fn answered(carrier: &str, status: &str) -> Counter {
    let labels = [("carrier", carrier.to_owned()), ("status", status.to_owned())];
    counter!("smpp_parts_answered_total", &labels)
}

/// The status as the standard spells it, for those that it names; vendors' own are one label, as
/// a peer must not be able to make labels without end.
pub(super) fn status_name(status: u32) -> String {
    match CommandStatus::from(status) {
        CommandStatus::Other(_) => "vendor".to_owned(),
        known => {
            let name = format!("{known:?}").to_uppercase();
            name.strip_prefix("ESME").map_or(name.clone(), |rest| format!("ESME_{rest}"))
        }
    }
}

fn describe() {
    describe_counter!("smpp_parts_submitted_total", "submit_sm written to a carrier");
    describe_counter!("smpp_parts_answered_total", "submit_sm answered, by command status");
    describe_counter!("smpp_parts_uncertain_total", "submit_sm that no answer came for");
    describe_counter!("smpp_answers_late_total", "answers that came after their time was up");
    describe_counter!("smpp_receipts_total", "delivery receipts passed on");
    describe_counter!(
        "smpp_queries_total",
        "query_sm by what came of them: told, unknown, refused, unanswered"
    );
    describe_counter!("smpp_inbound_total", "messages from phones passed on");
    describe_counter!("smpp_deliveries_unreadable_total", "deliver_sm that could not be read");
    describe_counter!(
        "smpp_deliveries_not_acknowledged_total",
        "deliver_sm answered with an error, to be delivered again"
    );
    describe_counter!("smpp_binds_refused_total", "binds refused, by command status");
    describe_histogram!("smpp_answer_seconds", "from submit_sm to its answer");
    describe_gauge!("smpp_links_bound", "links bound for sending");
    describe_gauge!("smpp_rate_parts_per_second", "the rate a carrier is sent at; 0: unlimited");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_standard_names_and_vendors_share_one() {
        for (status, name) in [
            (0x00, "ESME_ROK"),
            (0x0B, "ESME_RINVDSTADR"),
            (0x58, "ESME_RTHROTTLED"),
            (0x0400, "vendor"),
            (u32::MAX, "vendor"),
        ] {
            assert_eq!(status_name(status), name);
        }
    }
}
