//! Merging is commutative, associative and idempotent, whatever is merged.

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;

use super::super::balance::BalanceTransactionKind;
use super::super::money::{Currency, Money};
use super::*;

/// Few ids, so that facts meet.
fn id() -> impl Strategy<Value = ObjectId> {
    (0..4_u8).prop_map(|n| ObjectId::try_from(format!("id_{n}")).expect("an id"))
}

fn reference() -> impl Strategy<Value = PaymentReference> {
    (0..2_u8).prop_map(|n| {
        PaymentReference::parse(&format!("pay_0{}", n.to_string().repeat(25))).expect("a reference")
    })
}

fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![Just("USD"), Just("KES")].prop_map(|code| code.parse().expect("a currency"))
}

fn amounts() -> impl Strategy<Value = Amounts> {
    proptest::option::of((currency(), 0..4_i64)).prop_map(|money| {
        money.map_or_else(Amounts::default, |(currency, amount_micros)| {
            Money { currency, amount_micros }.into()
        })
    })
}

fn attempt() -> impl Strategy<Value = AttemptFacts> {
    use AttemptOutcome::*;
    let outcome = prop_oneof![Just(Pending), Just(Failed), Just(Succeeded)];
    let failure = prop_oneof![Just(FailureClass::Other), Just(FailureClass::Expired)];
    (outcome, proptest::option::of(failure))
        .prop_map(|(outcome, failure)| AttemptFacts { outcome, failure })
}

fn intent() -> impl Strategy<Value = IntentFacts> {
    let amounts = (amounts(), amounts(), amounts(), amounts());
    (amounts, any::<bool>(), any::<bool>(), btree_map(id(), attempt(), 0..3)).prop_map(
        |((requested, authorized, captured, refunded), action_required, canceled, attempts)| {
            IntentFacts {
                requested,
                authorized,
                captured,
                refunded,
                action_required,
                canceled,
                attempts,
            }
        },
    )
}

fn session() -> impl Strategy<Value = SessionFacts> {
    (amounts(), any::<[bool; 5]>()).prop_map(
        |(total, [has_intent, completed, paid, failed, expired])| SessionFacts {
            total,
            has_intent,
            completed,
            paid,
            failed,
            expired,
        },
    )
}

fn refund() -> impl Strategy<Value = RefundFacts> {
    use RefundRank::*;
    let rank = prop_oneof![
        Just(Pending),
        Just(ActionRequired),
        Just(Succeeded),
        Just(Canceled),
        Just(Failed)
    ];
    (rank, amounts()).prop_map(|(rank, amount)| RefundFacts { rank, amount })
}

fn dispute() -> impl Strategy<Value = DisputeFacts> {
    use DisputeRank::*;
    let rank =
        prop_oneof![Just(WarningClosed), Just(NeedsResponse), Just(Closed), Just(Lost), Just(Won)];
    (rank, amounts(), amounts(), amounts()).prop_map(|(rank, amount, withdrawn, reinstated)| {
        DisputeFacts { rank, amount, withdrawn, reinstated }
    })
}

fn line() -> impl Strategy<Value = Option<BalanceTransactionFacts>> {
    use BalanceTransactionKind::*;
    let kind = prop_oneof![Just(Other), Just(Charge), Just(Dispute)];
    proptest::option::of((id(), kind, currency(), -2..3_i64, 0..2_i64).prop_map(
        |(id, kind, currency, gross_micros, fee_micros)| BalanceTransactionFacts {
            id,
            kind,
            currency,
            gross_micros,
            fee_micros,
            net_micros: gross_micros - fee_micros,
        },
    ))
}

fn saved() -> impl Strategy<Value = SavedMethod> {
    (id(), id()).prop_map(|(customer, method)| SavedMethod { customer, method })
}

pub(crate) fn facts() -> impl Strategy<Value = PaymentFacts> {
    (
        (btree_set(reference(), 0..2), btree_set(id(), 0..3), btree_set(id(), 0..2)),
        btree_map(id(), intent(), 0..3),
        btree_map(id(), session(), 0..3),
        btree_map(id(), refund(), 0..3),
        btree_map(id(), dispute(), 0..3),
        btree_map(id(), line(), 0..3),
        (btree_set(saved(), 0..2), any::<bool>()),
    )
        .prop_map(|(ids, intents, sessions, refunds, disputes, balance_transactions, kept)| {
            let (references, objects, customers) = ids;
            let (saved_methods, refused) = kept;
            PaymentFacts {
                references,
                objects,
                customers,
                intents,
                sessions,
                refunds,
                disputes,
                balance_transactions,
                saved_methods,
                refused,
            }
        })
}

proptest! {
    #[test]
    fn merging_is_commutative(a in facts(), b in facts()) {
        prop_assert_eq!(merge(a.clone(), b.clone()), merge(b, a));
    }

    #[test]
    fn merging_is_associative(a in facts(), b in facts(), c in facts()) {
        let left = merge(merge(a.clone(), b.clone()), c.clone());
        prop_assert_eq!(left, merge(a, merge(b, c)));
    }

    #[test]
    fn merging_is_idempotent(a in facts(), b in facts()) {
        let both = merge(a.clone(), b.clone());
        prop_assert_eq!(merge(both.clone(), a), both.clone());
        prop_assert_eq!(merge(both.clone(), b), both.clone());
        prop_assert_eq!(merge(both.clone(), both.clone()), both);
    }

    #[test]
    fn nothing_changes_nothing(a in facts()) {
        prop_assert_eq!(merge(PaymentFacts::default(), a.clone()), a.clone());
        prop_assert_eq!(merge(a.clone(), PaymentFacts::default()), a);
    }

    #[test]
    fn what_is_stored_reads_back(a in facts()) {
        let stored = serde_json::to_string(&a).expect("facts are written");
        let read: PaymentFacts = serde_json::from_str(&stored).expect("facts are read");
        prop_assert_eq!(read, a);
    }

    #[test]
    fn every_merge_has_a_status(a in facts(), b in facts()) {
        let both = merge(a, b);
        let conflicts = both.totals().is_err() || both.references.len() > 1;
        let status = both.status();
        prop_assert_eq!(status == crate::payments::facts::PaymentStatus::Conflicting, conflicts);
        prop_assert!(!conflicts || !both.gaps().is_empty());
    }
}
