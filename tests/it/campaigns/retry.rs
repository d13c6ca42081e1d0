//! Retrying what failed for a reason that may have passed.

use std::collections::BTreeSet;

use entity::campaign::Model as Campaign;
use entity::enums::{CampaignStatus, MessageStatus};
use entity::ids::ContactId;
use heliograph::campaigns::{self, RetryRejection};
use heliograph::error::Error;
use heliograph::messages::retry::Retried;
use serde_json::json;

use super::{World, number, opt_out_of, work};
use crate::graphql_api::Api;
use crate::support::{TestHouse, both_stores};

const fn retried(campaign: &Campaign) -> Retried {
    Retried { campaign_id: campaign.id, includes_unknown: false }
}

fn refused(outcome: Result<Campaign, Error<RetryRejection>>) -> RetryRejection {
    match outcome.unwrap_err() {
        Error::Rejected(why) => why,
        other => panic!("{other:?}"),
    }
}

/// A campaign that is over, of whose messages each has its own fate.
async fn over(house: &TestHouse, world: &World) -> Campaign {
    let campaign = world.started().await;
    work(house).await;
    for (index, (status, error)) in [
        (MessageStatus::Undelivered, "RECEIPT_ABSENT_SUBSCRIBER"),
        (MessageStatus::Undelivered, "RECEIPT_UNKNOWN_SUBSCRIBER"),
        (MessageStatus::ExpiredHere, "EXPIRED_BEFORE_SUBMISSION"),
        (MessageStatus::Unknown, "NO_FINAL_RECEIPT"),
        (MessageStatus::Delivered, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let sql = "UPDATE message SET status = $1, error_code = $2 WHERE contact_id = $3";
        let contact = world.contacts[index].0;
        house.execute(sql, [status.code().into(), error.into(), contact.into()]).await;
    }
    let ctx = &world.payer.ctx;
    assert_eq!(
        refused(campaigns::retry_failed(ctx, retried(&campaign)).await),
        RetryRejection::NotOver
    );
    campaigns::cancel(ctx, campaign.id).await.unwrap()
}

async fn written_to(house: &TestHouse, campaign: &Campaign) -> BTreeSet<ContactId> {
    let sql = "SELECT contact_id FROM message WHERE campaign_id = $1";
    let rows = house.rows(sql, [campaign.id.0.into()]).await;
    rows.iter().map(|row| row.try_get("", "contact_id").unwrap()).collect()
}

both_stores! {
    async fn only_those_are_written_to_again_whose_failure_may_have_passed(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let ctx = &world.payer.ctx;
        let parent = over(&house, &world).await;
        let child = campaigns::retry_failed(ctx, retried(&parent)).await.unwrap();
        assert_eq!((child.status, child.parent_id), (CampaignStatus::Draft, Some(parent.id)));
        let again = campaigns::retry_failed(ctx, retried(&parent)).await;
        assert_eq!(refused(again), RetryRejection::AlreadyRetried);
        let audience = Some(contacts_of(&world));
        let change = campaigns::CampaignChange { audience, ..Default::default() };
        let changed = campaigns::update(ctx, child.id, child.version, change).await.unwrap_err();
        use campaigns::WriteCampaignRejection::AudienceOfRetry;
        assert!(matches!(changed, Error::Rejected(AudienceOfRetry)), "{changed:?}");
        let tables = crate::billing::Payer::tables(&house).await;
        let preview = campaigns::preview(ctx, &tables, child.id, &Default::default()).await.unwrap();
        assert_eq!((preview.recipients, preview.suppressed), (2, 0));
        // Who has objected since gets nothing.
        opt_out_of(&world, &number(2)).await;
        campaigns::start(ctx, child.id).await.unwrap();
        work(&house).await;
        let read = world.read(&child).await;
        assert_eq!((read.recipients, read.accepted, read.suppressed), (2, 1, 1));
        assert_eq!(written_to(&house, &child).await, [world.contacts[0]].into());
        // Once that is over there may be another, also of what may have arrived.
        campaigns::cancel(ctx, child.id).await.unwrap();
        let unknown = Retried { includes_unknown: true, ..retried(&parent) };
        let other = campaigns::retry_failed(ctx, unknown).await.unwrap();
        campaigns::start(ctx, other.id).await.unwrap();
        work(&house).await;
        let expected = [world.contacts[0], world.contacts[3]].into();
        assert_eq!(written_to(&house, &other).await, expected);
        let found = campaigns::retries(ctx, parent.id).await.unwrap();
        assert_eq!(found.iter().map(|it| it.id).collect::<Vec<_>>(), [other.id, child.id]);
    }

    async fn two_who_retry_at_once_make_one_campaign(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let ctx = &world.payer.ctx;
        let parent = over(&house, &world).await;
        let (one, other) = futures::join!(
            campaigns::retry_failed(ctx, retried(&parent)),
            campaigns::retry_failed(ctx, retried(&parent)),
        );
        let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
        assert_eq!(refused(lost), RetryRejection::AlreadyRetried);
        // A retry is retried like any other; this one has no messages yet.
        let child = campaigns::cancel(ctx, won.unwrap().id).await.unwrap();
        let nothing = campaigns::retry_failed(ctx, retried(&child)).await;
        assert_eq!(refused(nothing), RetryRejection::NothingToRetry);
        let gone = Retried { campaign_id: house.platform.ids.next(), includes_unknown: false };
        assert_eq!(refused(campaigns::retry_failed(ctx, gone).await), RetryRejection::NotFound);
    }

    async fn a_retry_tells_its_parent_and_the_parent_its_retries(house: TestHouse) {
        let world = World::new(&house, 5).await;
        let api = Api::new(&house).await;
        let ctx = &world.payer.ctx;
        let parent = over(&house, &world).await;
        let retry = "mutation($id: ID!) { retryFailedCampaign(input: { campaignId: $id }) { \
            campaign { id status parent { id retries { id } } } userErrors { code path } } }";
        let variables = json!({ "id": parent.id.to_string() });
        let made = api.data(ctx, retry, variables.clone()).await["retryFailedCampaign"].clone();
        let id = &made["campaign"]["id"];
        assert_eq!(made["campaign"], json!({ "id": id, "status": "DRAFT",
            "parent": { "id": parent.id.to_string(), "retries": [{ "id": id }] } }));
        let again = api.data(ctx, retry, variables).await["retryFailedCampaign"].clone();
        assert_eq!(again["userErrors"], json!([{ "code": "ALREADY_RETRIED", "path": ["campaignId"] }]));
    }
}

fn contacts_of(world: &World) -> heliograph::contacts::Audience {
    heliograph::contacts::Audience { lists: vec![world.list], ..Default::default() }
}
