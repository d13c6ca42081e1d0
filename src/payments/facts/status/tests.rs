//! The status and the totals, by table.

use super::super::ids::ObjectId;
use super::super::payment::{AttemptFacts, DisputeFacts, RefundFacts, SessionFacts, merge};
use super::*;

fn id(text: &str) -> ObjectId {
    ObjectId::try_from(text.to_owned()).expect("an id")
}

fn usd(amount_micros: i64) -> Amounts {
    Money { currency: "USD".parse().expect("a currency"), amount_micros }.into()
}

fn intent(intent: IntentFacts) -> PaymentFacts {
    PaymentFacts { intents: [(id("pi_1"), intent)].into(), ..Default::default() }
}

fn attempt(outcome: AttemptOutcome) -> PaymentFacts {
    let attempt = AttemptFacts { outcome, failure: None };
    intent(IntentFacts { attempts: [(id("ch_1"), attempt)].into(), ..Default::default() })
}

fn captured(micros: i64) -> PaymentFacts {
    intent(IntentFacts { authorized: usd(micros), captured: usd(micros), ..Default::default() })
}

fn session(session: SessionFacts) -> PaymentFacts {
    PaymentFacts { sessions: [(id("cs_1"), session)].into(), ..Default::default() }
}

fn refund(name: &str, rank: RefundRank, micros: i64) -> PaymentFacts {
    let refund = RefundFacts { rank, amount: usd(micros) };
    PaymentFacts { refunds: [(id(name), refund)].into(), ..Default::default() }
}

fn dispute(rank: DisputeRank, withdrawn: i64, reinstated: i64) -> PaymentFacts {
    let dispute = DisputeFacts {
        rank,
        amount: usd(100),
        withdrawn: usd(withdrawn),
        reinstated: usd(reinstated),
    };
    PaymentFacts { disputes: [(id("dp_1"), dispute)].into(), ..Default::default() }
}

#[test]
fn status_of_what_was_seen() {
    use PaymentStatus::*;
    let completed = SessionFacts { completed: true, has_intent: true, ..Default::default() };
    let paid = SessionFacts { paid: true, total: usd(100), ..completed.clone() };
    let authorized = intent(IntentFacts { authorized: usd(100), ..Default::default() });
    let canceled = intent(IntentFacts { canceled: true, ..Default::default() });
    let expired = session(SessionFacts { expired: true, ..Default::default() });
    let failed_session = session(SessionFacts { failed: true, ..completed.clone() });
    let asked = intent(IntentFacts { action_required: true, ..Default::default() });
    for (facts, status) in [
        (vec![], Open),
        (vec![asked.clone()], ActionRequired),
        (vec![attempt(AttemptOutcome::Pending)], Processing),
        // Completed and unpaid is no payment; a delayed method follows.
        (vec![session(completed.clone())], Processing),
        (vec![failed_session], AttemptFailed),
        (vec![attempt(AttemptOutcome::Failed)], AttemptFailed),
        (vec![asked, attempt(AttemptOutcome::Failed)], AttemptFailed),
        // A failed attempt is not the end.
        (vec![attempt(AttemptOutcome::Failed), captured(100)], Paid),
        (vec![authorized.clone()], Authorized),
        (vec![authorized, canceled.clone()], Canceled),
        (vec![canceled.clone(), captured(100)], Paid),
        (vec![expired.clone()], Expired),
        (vec![expired, captured(100)], Paid),
        (vec![captured(100)], Paid),
        (vec![session(paid)], Paid),
        (vec![captured(100), refund("re_1", RefundRank::Pending, 100)], Paid),
        (vec![captured(100), refund("re_1", RefundRank::Failed, 100)], Paid),
        (vec![captured(100), refund("re_1", RefundRank::Succeeded, 40)], PartlyRefunded),
        (
            vec![
                captured(100),
                refund("re_1", RefundRank::Succeeded, 40),
                refund("re_2", RefundRank::Succeeded, 60),
            ],
            Refunded,
        ),
        (vec![captured(100), dispute(DisputeRank::WarningNeedsResponse, 0, 0)], Paid),
        (vec![captured(100), dispute(DisputeRank::NeedsResponse, 100, 0)], Disputed),
        (vec![captured(100), dispute(DisputeRank::Lost, 100, 0)], ChargedBack),
        (vec![captured(100), dispute(DisputeRank::Won, 100, 100)], Paid),
    ] {
        // In both orders, each twice.
        let forth = facts.iter().chain(&facts).cloned().fold(PaymentFacts::default(), merge);
        let back = facts.iter().rev().cloned().fold(PaymentFacts::default(), merge);
        assert_eq!(forth, back);
        assert_eq!(forth.status(), status, "{facts:?}");
    }
}

#[test]
fn two_currencies_or_two_references_conflict() {
    let kes = Money { currency: "KES".parse().expect("a currency"), amount_micros: 7 };
    let other = intent(IntentFacts { captured: kes.into(), ..Default::default() });
    let both = merge(captured(100), other);
    assert_eq!(both.status(), PaymentStatus::Conflicting);
    assert_eq!(both.gaps(), [Gap::TwoCurrencies]);
    let mut twice = captured(100);
    for text in ["pay_00000000000000000000000001", "pay_00000000000000000000000002"] {
        twice.references.extend(crate::payments::facts::PaymentReference::parse(text));
    }
    assert_eq!(twice.status(), PaymentStatus::Conflicting);
    assert_eq!(twice.gaps(), [Gap::TwoReferences]);
}

#[test]
fn totals_and_gaps() {
    let seen = merge(captured(100), refund("re_1", RefundRank::Succeeded, 30));
    let seen = merge(seen, dispute(DisputeRank::NeedsResponse, 50, 0));
    let totals = seen.totals().expect("one currency").expect("an amount");
    assert_eq!(
        (totals.captured_micros, totals.refunded_micros, totals.disputed_micros),
        (100, 30, 50)
    );
    assert!(seen.gaps().is_empty());
    let refunded = intent(IntentFacts { refunded: usd(31), ..Default::default() });
    assert_eq!(merge(seen, refunded).gaps(), [Gap::RefundsUnknown]);
    let paid = SessionFacts { paid: true, has_intent: true, ..Default::default() };
    assert_eq!(session(paid).gaps(), [Gap::AmountUnknown]);
    let line =
        PaymentFacts { balance_transactions: [(id("txn_1"), None)].into(), ..Default::default() };
    assert_eq!(line.gaps(), [Gap::FeesUnknown]);
}
