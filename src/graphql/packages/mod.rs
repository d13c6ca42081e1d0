//! Packages in the contract. Behaviour: `crate::billing::packages`.

mod granting;
mod mutations;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::enums;
use entity::granted_package;
use entity::ids::GrantedPackageId;
use entity::message;
use entity::package::Model;

pub use granting::{BuyPackageError, GrantPackageError, GrantingMutation, RevokePackageError};
pub use mutations::{
    ArchivePackageError, CreatePackageError, ImportPackagesError, PackagesMutation,
    UpdatePackageError,
};

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::show_id;
use super::loaders::{GrantedPackageRow, load};
use super::messages::enums::MessageClass;
use super::money::Money;
use super::scalars::{Cursor, DateTime};
use crate::billing::Whose;
use crate::billing::packages::{self, Cover, Owned, Validity, classes_of, prefixes_of};
use crate::error::Failed;
use crate::types::cursor::CursorKind;
use crate::types::money::{Currency, Micros};

/// Micro-units of a part.
const MICROS_PER_PART: i64 = 1_000_000;

/// What a validity is counted in.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::ValidityUnit")]
pub enum ValidityUnit {
    /// Days of 24 hours.
    Days,
    /// Months of the calendar: until the same day and time, or the last day of a month that has no
    /// such day.
    Months,
}

/// Where a granted package came from.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::PackageSource")]
pub enum PackageSource {
    /// The account bought it.
    Purchase,
    /// A month of its plan includes it.
    Plan,
    /// The operator gave it.
    Operator,
}

/// Where a granted package stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::PackageState")]
pub enum PackageState {
    /// It pays for messages until it expires.
    Active,
    /// Nothing is left of it.
    UsedUp,
    /// It expired with something left.
    Expired,
    /// The operator took it back.
    Revoked,
}

/// For how long a package is valid, from the time when it is granted.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct PackageValidity {
    /// Counted in what.
    unit: ValidityUnit,
    /// How many.
    count: i32,
}

/// For how long a package is valid, from the time when it is granted.
#[derive(InputObject, Clone, Copy, Debug)]
pub struct PackageValidityInput {
    /// Counted in what.
    pub unit: ValidityUnit,
    /// How many: 1 to 3,660 days or 1 to 120 months.
    pub count: i32,
}

impl From<PackageValidityInput> for Validity {
    fn from(input: PackageValidityInput) -> Self {
        Self { unit: input.unit.into(), count: input.count }
    }
}

/// What of a package pays for a message.
#[derive(Clone, Copy, Debug)]
pub struct PackageUse {
    id: GrantedPackageId,
    purse: enums::Purse,
    amount: Micros,
    currency: Currency,
}

impl PackageUse {
    /// Of a message: what is promised, or what was charged in the end; none if money pays.
    ///
    /// # Errors
    /// If the row has no currency's code: a fault of ours.
    pub fn of_message(row: &message::Model) -> Answer<Option<Self>> {
        let Some(id) = row.granted_package_id else { return Ok(None) };
        let amount = Micros(row.charged_micros.unwrap_or(row.price_micros));
        let currency = row.currency.parse().map_err(Failed::internal)?;
        Ok(Some(Self { id, purse: row.purse, amount, currency }))
    }

    /// Of a message that is estimated.
    pub const fn of_cover(cover: Cover, currency: Currency) -> Self {
        let Cover { granted_package_id: id, purse, price: amount, .. } = cover;
        Self { id, purse, amount, currency }
    }

    fn holds_parts(self) -> bool {
        self.purse == enums::Purse::Parts
    }
}

/// What of a package pays for a message; money pays nothing of it.
#[Object]
impl PackageUse {
    /// The package that pays. For owners, admins, developers, billing, and keys with the scope
    /// `billing:read`.
    async fn granted_package(&self, context: &Context<'_>) -> Answer<Option<GrantedPackage>> {
        Ok(load(context, GrantedPackageRow(self.id)).await?.map(GrantedPackage))
    }

    /// How many parts of it; null if it holds credit.
    async fn parts(&self) -> Option<i32> {
        self.holds_parts().then(|| parts_of(self.amount.0))
    }

    /// How much of its credit; null if it holds parts.
    async fn credit(&self) -> Option<Money> {
        (!self.holds_parts()).then(|| Money::new(self.amount, self.currency))
    }
}

fn parts_of(micros: i64) -> i32 {
    i32::try_from(micros / MICROS_PER_PART).unwrap_or(i32::MAX)
}

/// A package on offer.
#[derive(Clone, Debug)]
pub struct Package(pub Model);

/// Parts of messages or credit for a price, which expire. Read by the operator's owners, admins and
/// billing, and by accounts that may buy it or have it.
#[Object]
impl Package {
    /// The package's id, `pack_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique, 1 to 100 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it costs.
    async fn price(&self) -> Answer<Money> {
        Money::stored(self.0.price_micros, &self.0.currency)
    }

    /// How many parts of messages it holds; null if it holds credit.
    async fn parts(&self) -> Option<i32> {
        parts(self.0.kind, self.0.amount_micros)
    }

    /// How much credit it holds; null if it holds parts.
    async fn credit(&self) -> Answer<Option<Money>> {
        credit(self.0.kind, self.0.amount_micros, &self.0.currency)
    }

    /// For how long it is valid once it is granted.
    async fn valid_for(&self) -> PackageValidity {
        let Validity { unit, count } = Validity::of(&self.0);
        PackageValidity { unit: unit.into(), count }
    }

    /// What the numbers that it pays for begin with, at most 300, each a plus sign and digits; empty:
    /// all numbers.
    async fn prefixes(&self) -> Vec<String> {
        prefixes_of(&self.0.prefixes)
    }

    /// The classes of messages that it pays for, at most 3.
    async fn classes(&self) -> Vec<MessageClass> {
        classes_of(self.0.classes).into_iter().map(Into::into).collect()
    }

    /// Since when nobody can buy it; null: it is on offer.
    async fn archived_at(&self) -> Option<DateTime> {
        self.0.archived_at_ms.map(Into::into)
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

fn parts(kind: enums::PackageKind, micros: i64) -> Option<i32> {
    match kind {
        enums::PackageKind::Parts => Some(parts_of(micros)),
        enums::PackageKind::Credit => None,
    }
}

fn credit(kind: enums::PackageKind, micros: i64, currency: &str) -> Answer<Option<Money>> {
    match kind {
        enums::PackageKind::Parts => Ok(None),
        enums::PackageKind::Credit => Money::stored(micros, currency).map(Some),
    }
}

/// A package that an account has.
#[derive(Clone, Debug)]
pub struct GrantedPackage(pub Owned);

/// A package that an account has: as it was offered when it was granted. Messages that it pays for
/// take from it before they take from the account's money: of several the one that expires first, then
/// the oldest. A message is paid by one package as a whole, or by money as a whole. Read by the
/// account's owners, admins, developers and billing, keys with the scope `billing:read`, and the
/// operator's owners, admins and billing.
#[Object]
impl GrantedPackage {
    /// The granted package's id, `gpkg_…`. Ids ascend in the order of granting.
    pub async fn id(&self) -> ID {
        show_id(self.0.row.id)
    }

    /// The offer that it was granted from, as that is now.
    async fn package(&self) -> Package {
        Package(self.0.package.clone())
    }

    /// Where it came from.
    async fn source(&self) -> PackageSource {
        self.0.row.source.into()
    }

    /// Where it stands. What has just been used up or has just expired is `ACTIVE` for up to a minute
    /// more, and pays for nothing then.
    async fn state(&self) -> PackageState {
        self.0.row.state.into()
    }

    /// What was paid for it; zero for a gift and what a plan includes.
    async fn price(&self) -> Answer<Money> {
        self.money(self.0.row.price_micros)
    }

    /// What of the price was given back when it was revoked.
    async fn refunded(&self) -> Answer<Money> {
        self.money(self.0.row.refunded_micros)
    }

    /// How many parts it held when it was granted; null if it holds credit.
    async fn parts(&self) -> Option<i32> {
        parts(self.0.row.kind, self.0.row.amount_micros)
    }

    /// How many parts can still be promised to messages; null if it holds credit.
    async fn parts_remaining(&self) -> Option<i32> {
        parts(self.0.row.kind, remaining(&self.0.row))
    }

    /// How many parts are promised to messages that no carrier took yet; null if it holds credit.
    async fn parts_held(&self) -> Option<i32> {
        parts(self.0.row.kind, self.0.row.held_micros)
    }

    /// How much credit it held when it was granted; null if it holds parts.
    async fn credit(&self) -> Answer<Option<Money>> {
        self.credit_of(self.0.row.amount_micros)
    }

    /// How much credit can still be promised to messages; null if it holds parts.
    async fn credit_remaining(&self) -> Answer<Option<Money>> {
        self.credit_of(remaining(&self.0.row))
    }

    /// How much credit is promised to messages that no carrier took yet; null if it holds parts.
    async fn credit_held(&self) -> Answer<Option<Money>> {
        self.credit_of(self.0.row.held_micros)
    }

    /// What the numbers that it pays for begin with, at most 300, each a plus sign and digits; empty:
    /// all numbers.
    async fn prefixes(&self) -> Vec<String> {
        prefixes_of(&self.0.row.prefixes)
    }

    /// The classes of messages that it pays for, at most 3.
    async fn classes(&self) -> Vec<MessageClass> {
        classes_of(self.0.row.classes).into_iter().map(Into::into).collect()
    }

    /// From when on it pays for nothing. What is promised to messages then is still paid by it.
    async fn expires_at(&self) -> DateTime {
        self.0.row.expires_at_ms.into()
    }

    /// When it ceased to be active; null while it is.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.row.closed_at_ms.map(Into::into)
    }

    /// When it was granted.
    async fn created_at(&self) -> DateTime {
        self.0.row.created_at_ms.into()
    }
}

impl GrantedPackage {
    fn money(&self, micros: i64) -> Answer<Money> {
        Money::stored(micros, &self.0.row.currency)
    }

    fn credit_of(&self, micros: i64) -> Answer<Option<Money>> {
        credit(self.0.row.kind, micros, &self.0.row.currency)
    }
}

/// What is neither charged nor promised.
fn remaining(row: &granted_package::Model) -> i64 {
    row.balance_micros - row.held_micros
}

/// A page of an account's packages.
pub(super) async fn granted_packages(
    context: &Context<'_>,
    whose: Whose,
    arguments: &PageArguments,
) -> Answer<Connection<GrantedPackage>> {
    let (ctx, kind) = (call(context)?, CursorKind::GrantedPackages);
    let request = arguments.request(kind)?;
    let page = packages::granted_page(ctx, whose, &request).await?;
    let total = match wants_total_count(context) {
        true => Some(packages::granted_count(ctx, whose).await?),
        false => None,
    };
    let page = page.map(|owned| (owned.row.id, GrantedPackage(owned)));
    Ok(Connection::new(kind, page, total))
}

/// Reads.
#[derive(Default)]
pub struct PackagesQuery;

#[Object]
impl PackagesQuery {
    /// The packages that the caller's account can buy, newest first: those with a price. For owners, admins, developers,
    /// billing, and keys with the scope `billing:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn packages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Package>> {
        let (ctx, kind) = (call(context)?, CursorKind::Packages);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = packages::offered_page(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(packages::offered_count(ctx).await?),
            false => None,
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Package(row))), total))
    }

    /// All packages, also archived ones, newest first. For the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn package_catalog(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Package>> {
        let (ctx, kind) = (call(context)?, CursorKind::Packages);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = packages::catalog_page(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(packages::catalog_count(ctx).await?),
            false => None,
        };
        Ok(Connection::new(kind, page.map(|row| (row.id, Package(row))), total))
    }

    /// The packages that the caller's account has and had, newest first. For owners, admins,
    /// developers, billing, and keys with the scope `billing:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn granted_packages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<GrantedPackage>> {
        let arguments = PageArguments { first, after, last, before };
        granted_packages(context, Whose::Own, &arguments).await
    }
}
