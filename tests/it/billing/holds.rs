//! Two phases: a price is held when a message is accepted, and charged or given back later.

use std::sync::Arc;
use std::time::Duration;

use entity::enums::{MessageClass, MessageStatus};
use heliograph::billing::CreditChange;
use heliograph::billing::rate_cards::{self, NewRateCard, RateText};
use heliograph::ctx::Ctx;
use heliograph::messages::commands::{self, CancelResult};
use heliograph::messages::{ItemErrorCode, NewMessage, sweeps};
use heliograph::types::money::Micros;

use super::scripted_carrier::{self, says_nothing, takes_all, takes_one};
use super::{PART, Payer, accepted, assert_in_order, of_three_parts, real_numbers};
use crate::messages::{batch, stored, subscribe, until_all};
use crate::support::{PATIENCE, both_stores, within};

/// Longer than a late receipt is waited for: 7 days.
const LONG: Duration = Duration::from_secs(7 * 24 * 3_600 + 1);

both_stores! {
    async fn a_price_is_held_and_charged_when_the_carrier_takes_the_message(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let mut messages = real_numbers(2);
        messages.push(of_three_parts());
        let sent = accepted(&payer.send(&house, "k", messages).await);
        assert_eq!(payer.has().await, (100 * PART, 5 * PART));
        assert_in_order(&house).await;
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(payer.has().await, (95 * PART, 0));
        assert_eq!(stored(&house, &payer.ctx, sent[2]).await.charged_micros, Some(3 * PART));
        assert_in_order(&house).await;
    }

    async fn what_never_left_is_given_back(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let sent = accepted(&payer.send(&house, "k", real_numbers(5)).await);
        assert_eq!(payer.has().await, (100 * PART, 5 * PART));
        for _ in 0..2 {
            let canceled = commands::cancel(&payer.ctx, &sent[..2]).await.unwrap();
            assert_eq!(canceled, [CancelResult::Canceled; 2]);
            assert_eq!(payer.has().await, (100 * PART, 3 * PART));
        }
        house.hand.advance(Duration::from_secs(72 * 3_600));
        assert_eq!(sweeps::expire_queued(&house.system()).await.unwrap(), 3);
        assert_eq!(payer.has().await, (100 * PART, 0));
        assert_eq!(sweeps::expire_queued(&house.system()).await.unwrap(), 0);
        assert_in_order(&house).await;
        let posted: i64 = house.value("SELECT count(*) FROM ledger_transfer WHERE code = 0", []).await;
        assert_eq!(posted, 0, "what costs nothing is not in the books");
    }

    async fn of_a_message_that_was_taken_in_part_the_part_is_charged(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let sent = accepted(&payer.send(&house, "k", vec![of_three_parts()]).await);
        assert_eq!(payer.has().await, (100 * PART, 3 * PART));
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_one);
        until_all(&mut events, &sent, &[MessageStatus::Failed]).await;
        carrier.stop().await;
        assert_eq!(payer.has().await, (99 * PART, 0));
        let parts: i64 = house.value("SELECT parts FROM usage_day", []).await;
        assert_eq!(parts, 1);
        assert_in_order(&house).await;
    }

    async fn what_is_uncertain_is_charged_when_a_late_receipt_proves_it(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let sent = accepted(&payer.send(&house, "k", real_numbers(2)).await);
        let mut events = subscribe(&house, &payer.ctx).await;
        let mut carrier = scripted_carrier::start(&house, says_nothing);
        let proven = carrier.submission().await;
        until_all(&mut events, &sent, &[MessageStatus::Unknown]).await;
        assert_eq!(payer.has().await, (100 * PART, 2 * PART), "held: it may have been taken");
        for _ in 0..2 {
            carrier.delivered(&proven);
        }
        until_all(&mut events, &[proven.message_id], &[MessageStatus::Delivered]).await;
        assert_eq!(payer.has().await, (99 * PART, PART));
        carrier.stop().await;
        let system = house.system();
        assert_eq!(sweeps::release_unknown(&system).await.unwrap(), 0, "it is early");
        house.hand.advance(LONG);
        assert_eq!(sweeps::release_unknown(&system).await.unwrap(), 1);
        assert_eq!(payer.has().await, (99 * PART, 0), "what was not proven is given back");
        assert_eq!(sweeps::release_unknown(&system).await.unwrap(), 0);
        assert_in_order(&house).await;
    }

    async fn sixty_four_at_once_never_overdraw_a_wallet(house: TestHouse) {
        let payer = Payer::with(&house, 60 * PART).await;
        let credit = CreditChange { limit: Some(Micros(40 * PART)), ..CreditChange::default() };
        payer.change(&house, credit).await;
        let tables = Arc::new(Payer::tables(&house).await);
        let tasks: Vec<_> = (0..64)
            .map(|task| {
                let (ctx, tables) = (payer.ctx.clone(), Arc::clone(&tables));
                let input = batch(&format!("k{task}"), real_numbers(3));
                tokio::spawn(async move { commands::send(&ctx, &tables, input).await.unwrap() })
            })
            .collect();
        let mut accepted = 0;
        for task in tasks {
            let outcome = within(PATIENCE, task).await.unwrap();
            for result in outcome.results {
                match result {
                    Ok(_) => accepted += 1,
                    Err(error) => assert_eq!(error.code, ItemErrorCode::InsufficientCredit),
                }
            }
        }
        assert_eq!(accepted, 100, "all that the money reaches to, and no more");
        assert_eq!(payer.balance().await.available(), Micros(0));
        let messages: i64 = house.value("SELECT count(*) FROM message", []).await;
        assert_eq!(messages, 100);
        assert_in_order(&house).await;
    }

    async fn a_batch_is_accepted_as_far_as_the_money_reaches(house: TestHouse) {
        let payer = Payer::with(&house, 4 * PART).await;
        let mut messages = real_numbers(2);
        messages.push(of_three_parts());
        messages.push(NewMessage { text: "short".to_owned(), ..of_three_parts() });
        messages.extend(real_numbers(2));
        let first = payer.send(&house, "k", messages.clone()).await;
        let told: Vec<_> = first
            .results
            .iter()
            .map(|result| result.as_ref().map(drop).map_err(|error| error.code))
            .collect();
        let refused = Err(ItemErrorCode::InsufficientCredit);
        assert_eq!(told, [Ok(()), Ok(()), refused, Ok(()), Ok(()), refused]);
        assert_eq!(payer.has().await, (4 * PART, 4 * PART));
        let more = CreditChange { add_balance: Some(Micros(100 * PART)), ..CreditChange::default() };
        payer.change(&house, more).await;
        let again = payer.send(&house, "k", messages).await;
        assert!(again.replayed);
        assert_eq!(again.results, first.results, "a replay is the first answer, whatever there is now");
        assert_eq!(payer.has().await, (104 * PART, 4 * PART));
        let texts: i64 = house.value("SELECT count(*) FROM message_text", []).await;
        assert_eq!(texts, 2, "the text of what was refused is not kept");
        assert_in_order(&house).await;
    }

    async fn a_message_costs_what_it_costs_when_it_is_accepted(house: TestHouse) {
        let payer = Payer::with(&house, 100 * PART).await;
        let before = Payer::tables(&house).await;
        let messages = vec![of_three_parts()];
        let estimates = heliograph::messages::estimate(&payer.ctx, &before, messages.clone()).await.unwrap();
        assert_eq!((estimates.total, estimates.available), (Micros(3 * PART), Micros(100 * PART)));
        assert_eq!(payer.has().await, (100 * PART, 0), "an estimate holds nothing");
        make_dearer(&house.system(), "0.0201").await;
        let sent = accepted(&payer.send(&house, "k", messages).await);
        assert_eq!(payer.has().await, (100 * PART, 60_300));
        make_dearer(&house.system(), "0.5").await;
        let mut events = subscribe(&house, &payer.ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(payer.has().await, (100 * PART - 60_300, 0));
        assert_in_order(&house).await;
    }

    async fn without_charging_nothing_is_held_and_nobody_needs_credit(house: TestHouse) {
        let payer = Payer::with(&house, 0).await;
        let free = house.platform_with(|settings| settings.billing.charging = false);
        let ctx = Ctx::new(free, payer.ctx.actor.clone(), Arc::from("test"));
        let tables = Payer::tables(&house).await;
        let outcome = commands::send(&ctx, &tables, batch("k", real_numbers(3))).await.unwrap();
        let sent = accepted(&outcome);
        let mut events = subscribe(&house, &ctx).await;
        let carrier = scripted_carrier::start(&house, takes_all);
        until_all(&mut events, &sent, &[MessageStatus::Sent]).await;
        carrier.stop().await;
        assert_eq!(payer.has().await, (0, 0));
        assert_eq!(house.value::<i64>("SELECT count(*) FROM ledger_transfer", []).await, 0);
    }
}

/// Makes a card the currency's default, or gives the one that is it another price from now on.
async fn make_dearer(ctx: &Ctx, price: &str) {
    let new = NewRateCard {
        name: format!("at {price}"),
        currency: "USD".parse().unwrap(),
        is_default: true,
    };
    let card = rate_cards::create(ctx, new).await.unwrap();
    let rate = |class| RateText {
        prefix: "+49".to_owned(),
        class,
        effective_from: None,
        price: price.parse().unwrap(),
    };
    let rates = vec![rate(None), rate(Some(MessageClass::Transactional))];
    rate_cards::set_rates(ctx, card.id, rates).await.unwrap();
}
