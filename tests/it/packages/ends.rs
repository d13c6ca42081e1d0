//! How packages end: used up, expired, revoked; and what comes back to them afterwards.

use std::sync::Arc;
use std::time::Duration;

use entity::enums::MessageStatus;
use entity::enums::PackageState::{Active, Expired, Revoked, UsedUp};
use heliograph::billing;
use heliograph::billing::packages::{self, RevokeRejection};
use heliograph::error::Error;
use heliograph::messages::commands;
use heliograph::types::money::Micros;

use super::{ONE, buyer, give, left, of_credit, of_parts, offer, payer_with_parts, row};
use crate::billing::scripted_carrier::{self, takes_all};
use crate::billing::{PART, Payer, accepted, assert_in_order, real_numbers};
use crate::messages::{batch, subscribe, until_all};
use crate::support::{PATIENCE, both_stores, within};

const DAY: Duration = Duration::from_secs(24 * 3_600);
/// As long as the packages of these tests are valid.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);

both_stores! {
    async fn what_is_left_expires_once(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 5).await;
        let credit = offer(&house, of_credit("Credit", 7)).await;
        let credit = give(&house, &payer, credit.id, "credit").await;
        house.hand.advance(MONTH - Duration::from_millis(1));
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 0);
        house.hand.advance(Duration::from_millis(1));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let system = house.system();
                tokio::spawn(async move { packages::close_due(&system).await.unwrap() })
            })
            .collect();
        let mut closed = 0;
        for task in tasks {
            closed += within(PATIENCE, task).await.unwrap();
        }
        assert_eq!(closed, 2);
        assert_eq!(left(&house, id).await, (0, 0, Expired));
        assert_eq!(left(&house, credit).await, (0, 0, Expired));
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 0);
        let expired: i64 =
            house.value("SELECT count(*) FROM ledger_transfer WHERE code = 11", []).await;
        assert_eq!(expired, 2);
        assert!(payer.send(&house, "k", real_numbers(1)).await.results[0].is_err());
        assert_in_order(&house).await;
    }

    async fn what_comes_back_after_the_end_is_gone(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 5).await;
        let mut later = real_numbers(3);
        for message in &mut later {
            message.send_at = Some(house.now().plus_ms(i64::try_from(DAY.as_millis()).unwrap() * 30));
        }
        house.hand.advance(DAY);
        let sent = accepted(&payer.send(&house, "k", later).await);
        assert_eq!(left(&house, id).await, (5 * ONE, 3 * ONE, Active));
        house.hand.advance(MONTH - DAY);
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 1);
        assert_eq!(left(&house, id).await, (3 * ONE, 3 * ONE, Expired));
        assert_in_order(&house).await;
        // One is canceled, the others are paid by what was promised.
        for _ in 0..2 {
            commands::cancel(&payer.ctx, &sent[..1]).await.unwrap();
            assert_eq!(left(&house, id).await, (2 * ONE, 2 * ONE, Expired));
            assert_in_order(&house).await;
        }
        heliograph::messages::sweeps::queue_scheduled(&house.system()).await.unwrap();
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent[1..], &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(left(&house, id).await, (0, 0, Expired));
        let books = "SELECT CAST(COALESCE(SUM(-amount_micros), 0) AS BIGINT) FROM ledger_entry e \
            JOIN ledger_transfer t ON t.account_id = e.account_id AND t.currency = e.currency \
            AND t.purse = e.purse AND t.seq = e.seq WHERE e.kind = 0 AND t.code = $1";
        for (code, parts) in [(0, 2), (10, -5), (11, 3)] {
            let moved: i64 = house.value(books, [code.into()]).await;
            assert_eq!(moved, parts * ONE, "{code}");
        }
        assert_in_order(&house).await;
    }

    async fn a_revoked_package_gives_its_money_back_and_pays_what_it_promised(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let package = offer(&house, of_parts("Parts", 5)).await;
        let buyer = buyer(&house, &payer);
        let bought = packages::buy(&buyer, package.id, "k").await.unwrap().row;
        let id = bought.id;
        assert_eq!(payer.has().await, (0, 0));
        let sent = accepted(&payer.send(&house, "k", real_numbers(3)).await);
        let system = house.system();
        let refused = packages::revoke(&system, id, Micros(100 * PART + 1)).await;
        assert!(matches!(refused, Err(Error::Rejected(RevokeRejection::InvalidRefund))));
        for _ in 0..2 {
            let revoked = packages::revoke(&system, id, Micros(40 * PART)).await.unwrap();
            assert_eq!((revoked.state, revoked.refunded_micros), (Revoked, 40 * PART));
            assert_eq!(left(&house, id).await, (3 * ONE, 3 * ONE, Revoked));
            assert_eq!(payer.has().await, (40 * PART, 0));
            assert_in_order(&house).await;
        }
        let other = packages::revoke(&system, id, Micros(0)).await;
        assert!(matches!(other, Err(Error::Rejected(RevokeRejection::OtherRefund))));
        commands::cancel(&payer.ctx, &sent[..1]).await.unwrap();
        assert_eq!(left(&house, id).await, (2 * ONE, 2 * ONE, Revoked));
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent[1..], &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(left(&house, id).await, (0, 0, Revoked));
        accepted(&payer.send(&house, "money", real_numbers(1)).await);
        assert_eq!(payer.has().await, (40 * PART, PART));
        assert_in_order(&house).await;
    }

    async fn a_package_that_is_over_cannot_be_revoked(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 1).await;
        let sent = accepted(&payer.send(&house, "k", real_numbers(1)).await);
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(packages::close_due(&house.system()).await.unwrap(), 1);
        assert_eq!(left(&house, id).await, (0, 0, UsedUp));
        assert_eq!(row(&house, id).await.closed_at_ms, Some(house.now()));
        let refused = packages::revoke(&house.system(), id, Micros(0)).await;
        assert!(matches!(refused, Err(Error::Rejected(RevokeRejection::NotActive))));
        assert_in_order(&house).await;
    }

    async fn expiring_and_holding_at_once_lose_and_double_nothing(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 100).await;
        house.hand.advance(MONTH - Duration::from_millis(1));
        let tables = Arc::new(Payer::tables(&house).await);
        let sending: Vec<_> = (0..32)
            .map(|task| {
                let (ctx, tables) = (payer.ctx.clone(), Arc::clone(&tables));
                let input = batch(&format!("k{task}"), real_numbers(2));
                tokio::spawn(async move { commands::send(&ctx, &tables, input).await.unwrap() })
            })
            .collect();
        house.hand.advance(Duration::from_millis(1));
        let closing: Vec<_> = (0..4)
            .map(|_| {
                let system = house.system();
                tokio::spawn(async move { packages::close_due(&system).await.unwrap() })
            })
            .collect();
        let (mut accepted, mut closed) = (0, 0);
        for task in sending {
            let outcome = within(PATIENCE, task).await.unwrap();
            accepted += outcome.results.iter().filter(|result| result.is_ok()).count();
        }
        for task in closing {
            closed += within(PATIENCE, task).await.unwrap();
        }
        closed += packages::close_due(&house.system()).await.unwrap();
        assert_eq!(closed, 1);
        let held = i64::try_from(accepted).unwrap() * ONE;
        // Who holds everything that is left has used it up only when it is charged.
        assert_eq!(left(&house, id).await, (held, held, Expired));
        assert_eq!(payer.has().await, (0, 0));
        assert_in_order(&house).await;
    }

    async fn a_package_that_was_tampered_with_is_named(house: TestHouse) {
        let (payer, id) = payer_with_parts(&house, 0, 5).await;
        let other = give(&house, &payer, row(&house, id).await.package_id, "other").await;
        accepted(&payer.send(&house, "k", real_numbers(2)).await);
        for (change, back, what) in [
            (
                "balance_micros = balance_micros - 1",
                "balance_micros = balance_micros + 1",
                "what is left of a package is not what its transfers say",
            ),
            (
                "held_micros = held_micros - 1",
                "held_micros = held_micros + 1",
                "what a package is promised for is not the sum of its messages' holds",
            ),
        ] {
            let of_id = |change: &str| format!("UPDATE granted_package SET {change} WHERE id = $1");
            house.execute(&of_id(change), [id.0.into()]).await;
            let verified = billing::verify(&house.system()).await.unwrap();
            let faults: Vec<_> = verified.faults.iter().map(|fault| fault.what.as_str()).collect();
            assert_eq!(faults, [what]);
            house.execute(&of_id(back), [id.0.into()]).await;
            assert_in_order(&house).await;
        }
        assert_eq!(left(&house, other).await, (5 * ONE, 0, Active));
    }
}
