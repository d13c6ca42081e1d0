//! Accounts' own domains for short links in the contract. Behaviour: `crate::links::domains`.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums;
use entity::ids::LinkDomainId;
use entity::link_domain::Model;

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::{Answer, user_error, value_or_rejection};
use super::ids::{parse_id, show_id};
use super::loaders::{Key, load};
use super::scalars::{Cursor, DateTime};
use crate::ctx::Ctx;
use crate::links::domains::{
    self, CreateDomainRejection, DeleteDomainRejection, VerifyDomainRejection,
};
use crate::types::cursor::CursorKind;

/// Whether an account proved that a host is its own.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::LinkDomainStatus")]
pub enum LinkDomainStatus {
    /// It has not, or another account has since. Campaigns cannot use it.
    Pending,
    /// It has: campaigns may use it, and the host leads on links of this account alone.
    Verified,
}

/// A record of the DNS.
#[derive(SimpleObject, Clone, Debug)]
pub struct DnsRecord {
    /// Its whole name, without a dot at its end.
    name: String,
    /// Its type, as zone files have it: `TXT`.
    #[graphql(name = "type")]
    kind: &'static str,
    /// Its value, without quotation marks.
    value: String,
}

/// A domain of an account.
#[derive(Clone, Debug)]
pub struct LinkDomain(pub Model);

/// A host of the account's own, which its short links may begin with. Read by everybody in the account
/// and by keys with the scope `campaigns:manage` or `messages:read`.
#[Object]
impl LinkDomain {
    /// The domain's id, `ldom_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// The host as the DNS has it: lower case, other scripts as A-labels.
    async fn host(&self) -> &str {
        &self.0.host
    }

    /// Whether the account proved that it is its own.
    async fn status(&self) -> LinkDomainStatus {
        self.0.status.into()
    }

    /// The record that proves it, to be made in the DNS before `verifyLinkDomain`. Leave it there: as
    /// long as it stands no other account can take the host over. Null if it cannot be read.
    async fn verification_record(&self, context: &Context<'_>) -> Answer<Option<DnsRecord>> {
        let key = &call(context)?.master_key;
        let record = domains::verification_record(key, self.0.account_id, &self.0.host);
        Ok(Some(DnsRecord { name: record.name, kind: "TXT", value: record.value }))
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it was verified; null unless it is.
    async fn verified_at(&self) -> Option<DateTime> {
        self.0.verified_at_ms.map(Into::into)
    }

    /// When the record was last looked for; null if it never was.
    async fn last_checked_at(&self) -> Option<DateTime> {
        self.0.last_checked_at_ms.map(Into::into)
    }
}

impl LinkDomain {
    /// One of the caller's account, read together with others.
    ///
    /// # Errors
    /// The read's own.
    pub async fn load(context: &Context<'_>, id: LinkDomainId) -> Answer<Option<Self>> {
        Ok(load(context, LinkDomainRow(id)).await?.map(Self))
    }
}

/// A domain's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkDomainRow(pub LinkDomainId);

impl Key for LinkDomainRow {
    type Value = Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = domains::by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// Reads.
#[derive(Default)]
pub struct LinkDomainsQuery;

#[Object]
impl LinkDomainsQuery {
    /// The domains of the caller's account for short links, newest first. For everybody in the
    /// account, and for keys with the scope `campaigns:manage` or `messages:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn link_domains(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<LinkDomain>> {
        let ctx = call(context)?;
        let kind = CursorKind::LinkDomains;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = domains::page(ctx, &request).await?;
        let total =
            if wants_total_count(context) { Some(domains::count(ctx).await?) } else { None };
        Ok(Connection::new(kind, page.map(|row| (row.id, LinkDomain(row))), total))
    }
}

/// What `createLinkDomain` takes.
#[derive(InputObject, Debug)]
pub struct CreateLinkDomainInput {
    /// The host alone, as `go.shop.example`: at least two labels, at most 60 characters, no address.
    pub host: String,
}

/// What `createLinkDomain` answers.
#[derive(SimpleObject)]
pub struct CreateLinkDomainPayload {
    /// The new domain, with the record that is to be made for it; null if it was not added.
    link_domain: Option<LinkDomain>,
    /// Why not; empty if it was.
    user_errors: Vec<CreateLinkDomainError>,
}

user_error! {
    /// Why a domain was not added.
    CreateLinkDomainError,
    /// Why a domain was not added, for a program to read.
    CreateLinkDomainErrorCode {
        /// It is not the name of a host alone, or too long.
        InvalidHost,
        /// It is a host of the service itself.
        HostReserved,
        /// The account has this host already.
        HostTaken,
        /// The account has as many domains as an account may have: 20.
        TooManyLinkDomains,
    }
}

/// What `verifyLinkDomain` takes.
#[derive(InputObject, Debug)]
pub struct VerifyLinkDomainInput {
    /// The domain, `ldom_…`.
    pub link_domain_id: ID,
}

/// What `verifyLinkDomain` answers.
#[derive(SimpleObject)]
pub struct VerifyLinkDomainPayload {
    /// The domain, which is verified; null if the record was not found.
    link_domain: Option<LinkDomain>,
    /// Why not; empty if it was.
    user_errors: Vec<VerifyLinkDomainError>,
}

user_error! {
    /// Why a domain was not verified.
    VerifyLinkDomainError,
    /// Why a domain was not verified, for a program to read.
    VerifyLinkDomainErrorCode {
        /// There is no such domain.
        LinkDomainNotFound,
        /// The record was looked for within the last 5 seconds.
        CheckedJustNow,
        /// The DNS does not have the record, or has another value for it.
        RecordNotFound,
        /// The DNS does not answer: try again.
        DnsUnavailable,
        /// Another account has verified this host, and its record is still in the DNS.
        HostTaken,
    }
}

/// What `deleteLinkDomain` takes.
#[derive(InputObject, Debug)]
pub struct DeleteLinkDomainInput {
    /// The domain, `ldom_…`.
    pub link_domain_id: ID,
}

/// What `deleteLinkDomain` answers.
#[derive(SimpleObject)]
pub struct DeleteLinkDomainPayload {
    /// The id of the domain that is gone; null if none was deleted.
    deleted_link_domain_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DeleteLinkDomainError>,
}

user_error! {
    /// Why a domain was not deleted.
    DeleteLinkDomainError,
    /// Why a domain was not deleted, for a program to read.
    DeleteLinkDomainErrorCode {
        /// There is no such domain.
        LinkDomainNotFound,
        /// A campaign that is not over uses it.
        LinkDomainInUse,
    }
}

/// Writes.
#[derive(Default)]
pub struct LinkDomainsMutation;

#[Object]
impl LinkDomainsMutation {
    /// Adds a host to the caller's account, which is then verified by a record in the DNS. For owners,
    /// admins, developers, and keys with the scope `campaigns:manage`. Not idempotent: a second one of
    /// the host answers `HOST_TAKEN` and changes nothing.
    async fn create_link_domain(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which host.")] input: CreateLinkDomainInput,
    ) -> Answer<CreateLinkDomainPayload> {
        let outcome = domains::create(call(context)?, &input.host).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => CreateLinkDomainPayload {
                link_domain: Some(LinkDomain(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => CreateLinkDomainPayload {
                link_domain: None,
                user_errors: vec![create_error(rejection)],
            },
        })
    }

    /// Looks for a domain's record in the DNS, which takes some seconds at most, and makes the domain
    /// `VERIFIED` if it is there. A host that another account has verified is taken over if the record
    /// of that account is gone. A domain that is verified stays so whatever is found. For owners,
    /// admins, developers, and keys with the scope `campaigns:manage`. Idempotent, but that two looks
    /// have 5 seconds between them.
    async fn verify_link_domain(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which domain.")] input: VerifyLinkDomainInput,
    ) -> Answer<VerifyLinkDomainPayload> {
        let outcome = domains::verify(call(context)?, parse_id(&input.link_domain_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(row) => VerifyLinkDomainPayload {
                link_domain: Some(LinkDomain(row)),
                user_errors: Vec::new(),
            },
            Err(rejection) => VerifyLinkDomainPayload {
                link_domain: None,
                user_errors: vec![verify_error(rejection)],
            },
        })
    }

    /// Deletes a domain that no campaign needs any more; links that were sent with it lead nowhere
    /// then. For owners, admins, developers, and keys with the scope `campaigns:manage`. Not
    /// idempotent: deleting again answers `LINK_DOMAIN_NOT_FOUND`.
    async fn delete_link_domain(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which domain.")] input: DeleteLinkDomainInput,
    ) -> Answer<DeleteLinkDomainPayload> {
        let outcome = domains::delete(call(context)?, parse_id(&input.link_domain_id)?).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DeleteLinkDomainPayload {
                deleted_link_domain_id: Some(input.link_domain_id),
                user_errors: Vec::new(),
            },
            Err(rejection) => DeleteLinkDomainPayload {
                deleted_link_domain_id: None,
                user_errors: vec![delete_error(rejection)],
            },
        })
    }
}

fn create_error(rejection: CreateDomainRejection) -> CreateLinkDomainError {
    use CreateLinkDomainErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        CreateDomainRejection::InvalidHost => (Code::InvalidHost, &["host"]),
        CreateDomainRejection::HostReserved => (Code::HostReserved, &["host"]),
        CreateDomainRejection::HostTaken => (Code::HostTaken, &["host"]),
        CreateDomainRejection::TooMany => (Code::TooManyLinkDomains, &[]),
    };
    CreateLinkDomainError::new(code, path, rejection)
}

fn verify_error(rejection: VerifyDomainRejection) -> VerifyLinkDomainError {
    use VerifyLinkDomainErrorCode as Code;
    let code = match rejection {
        VerifyDomainRejection::NotFound => Code::LinkDomainNotFound,
        VerifyDomainRejection::CheckedJustNow => Code::CheckedJustNow,
        VerifyDomainRejection::RecordNotFound => Code::RecordNotFound,
        VerifyDomainRejection::DnsUnavailable => Code::DnsUnavailable,
        VerifyDomainRejection::HostTaken => Code::HostTaken,
    };
    VerifyLinkDomainError::new(code, &["linkDomainId"], rejection)
}

fn delete_error(rejection: DeleteDomainRejection) -> DeleteLinkDomainError {
    let code = match rejection {
        DeleteDomainRejection::NotFound => DeleteLinkDomainErrorCode::LinkDomainNotFound,
        DeleteDomainRejection::InUse => DeleteLinkDomainErrorCode::LinkDomainInUse,
    };
    DeleteLinkDomainError::new(code, &["linkDomainId"], rejection)
}
