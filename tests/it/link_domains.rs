//! Accounts' own domains for short links: proved by the DNS, named by campaigns, and leading on links
//! of their account alone.

mod following;
mod proof;

use entity::campaign::Model as Campaign;
use entity::enums::{CampaignReason, CampaignStatus, LinkDomainStatus, Role};
use entity::ids::LinkDomainId;
use entity::link_domain::Model as LinkDomain;
use heliograph::campaigns::{
    self, CampaignChange, Examples, LifecycleRejection, NewCampaign, PreviewRejection,
    StartRejection, WriteCampaignRejection,
};
use heliograph::ctx::Ctx;
use heliograph::error::Error;
use heliograph::links::domains::{self, DeleteDomainRejection};
use heliograph::links::{Shortener, TOKEN_CHARS};
use heliograph::messages::retry::Retried;

use crate::billing::Payer;
use crate::campaigns::{World, work};
use crate::graphql_api::{account, person};
use crate::links::{HELP, SALE, texts};
use crate::support::{TestHouse, both_stores};

pub const HOST: &str = "go.shop.example";

/// A domain that stands as if its record had been found.
pub async fn verified(house: &TestHouse, ctx: &Ctx, host: &str) -> LinkDomain {
    let made = domains::create(ctx, host).await.unwrap();
    set_status(house, made.id, LinkDomainStatus::Verified).await;
    made
}

/// Has a domain stand as if its record had been found, or somebody else's.
pub async fn set_status(house: &TestHouse, id: LinkDomainId, status: LinkDomainStatus) {
    let sql = "UPDATE link_domain SET status = $2, verified_at_ms = CASE WHEN $2 = 1 \
        THEN created_at_ms END WHERE id = $1";
    assert_eq!(house.execute(sql, [id.0.into(), status.code().into()]).await, 1);
}

/// A campaign with links behind a domain.
pub fn campaign(world: &World, domain: LinkDomainId) -> NewCampaign {
    NewCampaign { link_domain_id: Some(domain), ..crate::links::campaign(world) }
}

fn written(outcome: Result<Campaign, Error<WriteCampaignRejection>>) -> WriteCampaignRejection {
    match outcome.unwrap_err() {
        Error::Rejected(why) => why,
        other => panic!("{other:?}"),
    }
}

fn to_domain(id: Option<LinkDomainId>) -> CampaignChange {
    CampaignChange { link_domain_id: Some(id), ..CampaignChange::default() }
}

both_stores! {
    async fn links_of_a_campaign_begin_with_its_domain(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let ctx = &world.payer.ctx;
        let domain = verified(&house, ctx, HOST).await;
        let made = campaigns::create(ctx, campaign(&world, domain.id)).await.unwrap();
        campaigns::start(ctx, made.id).await.unwrap();
        work(&house).await;
        let system = house.system();
        let urls = [SALE, HELP];
        let links = Shortener::of_campaign(&system, made.account_id, made.id, &urls).await.unwrap();
        let links = links.with_base(format!("https://{HOST}")).links(1);
        assert_eq!(links[0].len(), "https://".len() + HOST.len() + 1 + TOKEN_CHARS);
        assert_eq!(texts(&house).await[0], format!("N0: {} or {}", links[0], links[1]));
    }

    async fn a_preview_counts_the_host_as_long_as_it_is(house: TestHouse) {
        let world = World::new(&house, 3).await;
        let ctx = &world.payer.ctx;
        let domain = verified(&house, ctx, HOST).await;
        let tables = Payer::tables(&house).await;
        let link = "https://".len() + HOST.len() + 1 + TOKEN_CHARS;
        for (length, parts) in [(160, 1), (161, 2)] {
            let text = format!("{}{{{{link {SALE}}}}}", "x".repeat(length - link));
            let new = NewCampaign { text: Some(text), ..campaign(&world, domain.id) };
            let made = campaigns::create(ctx, new).await.unwrap();
            let one = Examples { count: 1, variant: None };
            let told = campaigns::preview(ctx, &tables, made.id, &one).await.unwrap();
            assert_eq!((told.refused, told.parts), (0, 3 * parts));
            assert_eq!(told.examples[0].text.len(), length);
            campaigns::start(ctx, made.id).await.unwrap();
            work(&house).await;
            let sql = "SELECT CAST(SUM(parts) AS BIGINT) FROM message WHERE campaign_id = $1";
            let sent: i64 = house.value(sql, [made.id.0.into()]).await;
            assert_eq!(u64::try_from(sent).unwrap(), 3 * parts);
        }
    }

    async fn a_campaign_takes_a_verified_domain_of_its_account_alone(house: TestHouse) {
        use WriteCampaignRejection::LinkDomainNotVerified;
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let pending = domains::create(ctx, "new.shop.example").await.unwrap().id;
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        let foreign = verified(&house, &stranger, "go.other.example").await.id;
        let own = verified(&house, ctx, HOST).await.id;
        let draft = campaigns::create(ctx, world.new_campaign()).await.unwrap();
        for id in [pending, foreign, house.platform.ids.next()] {
            let refused = campaigns::create(ctx, campaign(&world, id)).await;
            assert_eq!(written(refused), LinkDomainNotVerified);
            let change = to_domain(Some(id));
            let refused = campaigns::update(ctx, draft.id, draft.version, change).await;
            assert_eq!(written(refused), LinkDomainNotVerified);
        }
        let change = to_domain(Some(own));
        let changed = campaigns::update(ctx, draft.id, draft.version, change).await.unwrap();
        assert_eq!(changed.link_domain_id, Some(own));
        let rate = CampaignChange { rate_per_s: Some(Some(5)), ..CampaignChange::default() };
        let changed = campaigns::update(ctx, draft.id, changed.version, rate).await.unwrap();
        assert_eq!(changed.link_domain_id, Some(own), "what is absent stays");
        let change = to_domain(None);
        let changed = campaigns::update(ctx, draft.id, changed.version, change).await.unwrap();
        assert_eq!(changed.link_domain_id, None);
    }

    async fn a_campaign_whose_domain_is_lost_does_not_start_or_go_on(house: TestHouse) {
        let world = World::new(&house, 2).await;
        let ctx = &world.payer.ctx;
        let domain = verified(&house, ctx, HOST).await.id;
        let new = || campaign(&world, domain);
        let draft = campaigns::create(ctx, new()).await.unwrap();
        let at = house.now().plus_ms(60_000);
        let later = NewCampaign { send_at: Some(at), ..new() };
        let later = campaigns::create(ctx, later).await.unwrap();
        let slow = NewCampaign { rate_per_s: Some(1), ..new() };
        let slow = campaigns::create(ctx, slow).await.unwrap();
        campaigns::start(ctx, slow.id).await.unwrap();
        work(&house).await;
        assert_eq!(world.read(&slow).await.accepted, 1);

        set_status(&house, domain, LinkDomainStatus::Pending).await;
        let refused = campaigns::start(ctx, draft.id).await.unwrap_err();
        let why = StartRejection::LinkDomainNotVerified;
        let is_why = |error| matches!(error, Error::Rejected(LifecycleRejection::Start(it)) if it == why);
        assert!(is_why(refused));
        let tables = Payer::tables(&house).await;
        let one = Examples { count: 1, variant: None };
        let refused = campaigns::preview(ctx, &tables, draft.id, &one).await.unwrap_err();
        assert!(matches!(refused, Error::Rejected(PreviewRejection::LinkDomainNotVerified)));
        house.hand.advance(std::time::Duration::from_secs(61));
        work(&house).await;
        let reason = Some(CampaignReason::LinkDomainNotVerified);
        assert_eq!(world.stands(&later).await, (CampaignStatus::Failed, reason));
        assert_eq!(world.stands(&slow).await, (CampaignStatus::Paused, reason));
        assert_eq!(world.read(&slow).await.accepted, 1, "nothing more was made");

        set_status(&house, domain, LinkDomainStatus::Verified).await;
        campaigns::resume(ctx, slow.id).await.unwrap();
        house.hand.advance(std::time::Duration::from_secs(2));
        work(&house).await;
        assert_eq!(world.read(&slow).await.accepted, 2);
        campaigns::start(ctx, draft.id).await.unwrap();
    }

    async fn a_retry_keeps_the_domain(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let domain = verified(&house, ctx, HOST).await.id;
        let made = campaigns::create(ctx, campaign(&world, domain)).await.unwrap();
        campaigns::start(ctx, made.id).await.unwrap();
        work(&house).await;
        campaigns::cancel(ctx, made.id).await.unwrap();
        work(&house).await;
        house.execute("UPDATE message SET status = $1, error_code = $2", [
            entity::enums::MessageStatus::ExpiredHere.code().into(),
            "EXPIRED_BEFORE_SUBMISSION".into(),
        ]).await;
        let retried = Retried { campaign_id: made.id, includes_unknown: false };
        let retry = campaigns::retry_failed(ctx, retried).await.unwrap();
        assert_eq!(retry.link_domain_id, Some(domain));
    }

    async fn a_domain_that_is_in_use_is_not_deleted(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        let domain = verified(&house, ctx, HOST).await.id;
        let made = campaigns::create(ctx, campaign(&world, domain)).await.unwrap();
        let refused = |error| match error {
            Error::Rejected(why) => why,
            other => panic!("{other:?}"),
        };
        let in_use = domains::delete(ctx, domain).await.unwrap_err();
        assert_eq!(refused(in_use), DeleteDomainRejection::InUse);
        campaigns::start(ctx, made.id).await.unwrap();
        let in_use = domains::delete(ctx, domain).await.unwrap_err();
        assert_eq!(refused(in_use), DeleteDomainRejection::InUse);
        let stranger = person(&house, account(&house, "Other").await, Role::Owner);
        let foreign = domains::delete(&stranger, domain).await.unwrap_err();
        assert_eq!(refused(foreign), DeleteDomainRejection::NotFound);
        campaigns::cancel(ctx, made.id).await.unwrap();
        domains::delete(ctx, domain).await.unwrap();
        let again = domains::delete(ctx, domain).await.unwrap_err();
        assert_eq!(refused(again), DeleteDomainRejection::NotFound);
        // Whoever was about to name it finds it gone.
        let refused = campaigns::create(ctx, campaign(&world, domain)).await;
        assert_eq!(written(refused), WriteCampaignRejection::LinkDomainNotVerified);
    }

    async fn a_domain_is_not_named_and_deleted_at_once(house: TestHouse) {
        let world = World::new(&house, 1).await;
        let ctx = &world.payer.ctx;
        for n in 0..16 {
            let domain = verified(&house, ctx, &format!("go{n}.shop.example")).await.id;
            // A little later each time, so that now the one is first and now the other.
            let delete = async {
                for _ in 0..n {
                    house.rows("SELECT 1", []).await;
                }
                domains::delete(ctx, domain).await
            };
            let (made, deleted) =
                futures::join!(campaigns::create(ctx, campaign(&world, domain)), delete);
            assert_ne!(made.is_ok(), deleted.is_ok(), "{made:?} {deleted:?}");
        }
    }
}
