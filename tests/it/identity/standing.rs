//! Suspending and reactivating accounts, and another link for a first owner. What a suspended
//! account has waiting: `messages.rs`.

use entity::enums::{AccountKind, AccountStatus};
use heliograph::identity::{
    AcceptOwnerLink, AcceptRejection, NewAccount, OneTimeLink, OwnerLinkRejection, StatusRejection,
    create_account, reactivate_account, reissue_owner_link, suspend_account,
};

use super::*;
use crate::support::both_stores;

fn operator(house: &TestHouse) -> Ctx {
    house.ctx_as(Actor::CommandLine)
}

fn accept(link: &OneTimeLink) -> AcceptOwnerLink {
    let (_, token) = link.url.expose().rsplit_once('#').unwrap();
    AcceptOwnerLink {
        token: secret(token),
        password: secret(PASSWORD),
        name: "Grace".to_owned(),
        email: None,
        client_address: None,
    }
}

both_stores! {
    async fn a_suspended_account_reads_and_comes_back(house: TestHouse) {
        let identity = service(&house);
        let signed_in = signed_up(&house, &identity, EMAIL).await;
        let id = signed_in.account.id;
        let live = authenticated(&identity, &signed_in.tokens.access_token).await.unwrap();
        let suspended = suspend_account(&operator(&house), id).await.unwrap();
        assert_eq!((suspended.status, suspended.version), (AccountStatus::Suspended, 2));
        // People still come in and read; their streams go on.
        identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        authenticated(&identity, &signed_in.tokens.access_token).await.unwrap();
        assert!(!live.revoked.is_cancelled());

        assert_eq!(suspend_account(&operator(&house), id).await.unwrap().version, 2, "once more");
        let active = reactivate_account(&operator(&house), id).await.unwrap();
        assert_eq!((active.status, active.version), (AccountStatus::Active, 3));
        assert_eq!(reactivate_account(&operator(&house), id).await.unwrap().version, 3, "once more");
    }

    async fn some_accounts_cannot_be_suspended(house: TestHouse) {
        let identity = service(&house);
        let id = signed_up(&house, &identity, EMAIL).await.account.id;
        let owner = identity.log_in(&nobody(&house), log_in(EMAIL, PASSWORD)).await.unwrap();
        let stranger = suspend_account(&ctx_of(&house, &identity, &owner).await, id).await;
        assert!(matches!(stranger, Err(Error::Failed(Failed::Forbidden(_)))), "{stranger:?}");
        let unknown = suspend_account(&operator(&house), house.platform.ids.next()).await;
        assert_eq!(rejection(unknown), StatusRejection::NotFound);
        let set = "UPDATE account SET status = $1, kind = $2";
        let closed = [AccountStatus::Closed.code().into(), AccountKind::Customer.code().into()];
        house.execute(set, closed).await;
        let outcome = reactivate_account(&operator(&house), id).await;
        assert_eq!(rejection(outcome), StatusRejection::Closed);
        let operators = [AccountStatus::Active.code().into(), AccountKind::Operator.code().into()];
        house.execute(set, operators).await;
        let outcome = suspend_account(&operator(&house), id).await;
        assert_eq!(rejection(outcome), StatusRejection::Operator);
    }

    async fn a_new_link_replaces_the_lost_one_until_there_is_an_owner(house: TestHouse) {
        let identity = service(&house);
        let ctx = operator(&house);
        let new = NewAccount {
            name: "Bells".to_owned(),
            owner_email: "grace@exmaple.com".to_owned(),
            default_region: None,
        };
        let created = create_account(&ctx, new).await.unwrap();
        let id = created.account.id;
        let same = reissue_owner_link(&ctx, id, None).await.unwrap();
        let old = identity.accept_owner_link(&nobody(&house), accept(&created.owner_link)).await;
        assert_eq!(rejection(old), AcceptRejection::InvalidLink);
        // The address was mistyped.
        let mended = reissue_owner_link(&ctx, id, Some("Grace@example.com")).await.unwrap();
        let mistyped = identity.accept_owner_link(&nobody(&house), accept(&same)).await;
        assert_eq!(rejection(mistyped), AcceptRejection::InvalidLink);
        let owner = identity.accept_owner_link(&nobody(&house), accept(&mended)).await.unwrap();
        assert_eq!(owner.person.email, "grace@example.com");

        let late = reissue_owner_link(&ctx, id, None).await;
        assert_eq!(rejection(late), OwnerLinkRejection::HasOwner);
        let stranger = reissue_owner_link(&ctx_of(&house, &identity, &owner).await, id, None).await;
        assert!(matches!(stranger, Err(Error::Failed(Failed::Forbidden(_)))), "{stranger:?}");
    }

    async fn a_link_needs_an_account_and_an_address(house: TestHouse) {
        let ctx = operator(&house);
        let new = NewAccount {
            name: "Bells".to_owned(),
            owner_email: "grace@example.com".to_owned(),
            default_region: None,
        };
        let id = create_account(&ctx, new).await.unwrap().account.id;
        let malformed = reissue_owner_link(&ctx, id, Some("grace")).await;
        assert_eq!(rejection(malformed), OwnerLinkRejection::InvalidEmail);
        let unknown = reissue_owner_link(&ctx, house.platform.ids.next(), None).await;
        assert_eq!(rejection(unknown), OwnerLinkRejection::NotFound);
        house.execute("DELETE FROM one_time_link", []).await;
        let unnamed = reissue_owner_link(&ctx, id, None).await;
        assert_eq!(rejection(unnamed), OwnerLinkRejection::EmailNeeded);
    }
}
