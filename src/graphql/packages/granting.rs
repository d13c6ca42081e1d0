//! Buying, granting and revoking packages.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::GrantedPackage;
use crate::billing;
use crate::billing::packages::{self, BuyRejection, GrantRejection, Granted, RevokeRejection};
use crate::error::Failed;
use crate::graphql::billing::AccountBalance;
use crate::graphql::call;
use crate::graphql::errors::{Answer, user_error, value_or_rejection};
use crate::graphql::ids::parse_id;
use crate::graphql::scalars::Decimal;
use crate::types::money::Micros;

/// What `buyPackage` takes.
#[derive(InputObject, Debug)]
pub struct BuyPackageInput {
    /// 1 to 255 characters, unique for the purchase in the account: the same key and package give the
    /// same answer again.
    pub idempotency_key: String,
    /// The package, `pack_…`, in the account's currency.
    pub package_id: ID,
}

/// What `buyPackage` answers.
#[derive(SimpleObject)]
pub struct BuyPackagePayload {
    /// What the account has of it now; null if it was not bought.
    granted_package: Option<GrantedPackage>,
    /// What the account has to spend now; null if the package was not bought.
    balance: Option<AccountBalance>,
    /// Whether this is the answer to an earlier call with the same key.
    replayed: bool,
    /// Why not; empty if it was.
    user_errors: Vec<BuyPackageError>,
}

user_error! {
    /// Why a package was not bought.
    BuyPackageError,
    /// Why a package was not bought, for a program to read.
    BuyPackageErrorCode {
        /// The key is empty, longer than 255 characters, or has control characters.
        InvalidIdempotencyKey,
        /// The account bought another package under this key.
        IdempotencyKeyReused,
        /// There is no such package on offer.
        PackageNotFound,
        /// The package is in another currency than the account.
        OtherCurrency,
        /// The account's balance and credit do not reach to the price.
        InsufficientBalance,
        /// The account has as many active packages as it may have: 100.
        TooManyPackages,
    }
}

/// What `grantPackage` takes.
#[derive(InputObject, Debug)]
pub struct GrantPackageInput {
    /// 1 to 255 characters, unique for the gift in the account: the same key and package give the
    /// same answer again.
    pub idempotency_key: String,
    /// The account, `acct_…`.
    pub account_id: ID,
    /// The package, `pack_…`, in the account's currency.
    pub package_id: ID,
}

/// What `grantPackage` answers.
#[derive(SimpleObject)]
pub struct GrantPackagePayload {
    /// What the account has of it now; null if it was not granted.
    granted_package: Option<GrantedPackage>,
    /// Whether this is the answer to an earlier call with the same key.
    replayed: bool,
    /// Why not; empty if it was.
    user_errors: Vec<GrantPackageError>,
}

user_error! {
    /// Why a package was not granted.
    GrantPackageError,
    /// Why a package was not granted, for a program to read.
    GrantPackageErrorCode {
        /// The key is empty, longer than 255 characters, or has control characters.
        InvalidIdempotencyKey,
        /// The account was granted another package under this key.
        IdempotencyKeyReused,
        /// There is no such account.
        AccountNotFound,
        /// There is no such package.
        PackageNotFound,
        /// The package is archived.
        PackageArchived,
        /// The package is in another currency than the account.
        OtherCurrency,
        /// The account has as many active packages as it may have: 100.
        TooManyPackages,
    }
}

/// What `revokePackage` takes.
#[derive(InputObject, Debug)]
pub struct RevokePackageInput {
    /// The granted package, `gpkg_…`.
    pub granted_package_id: ID,
    /// What is given back of the price that was paid; null or absent: nothing.
    pub refund: Option<Decimal>,
}

/// What `revokePackage` answers.
#[derive(SimpleObject)]
pub struct RevokePackagePayload {
    /// The granted package as it is now; null if it was not revoked.
    granted_package: Option<GrantedPackage>,
    /// Why not; empty if it was.
    user_errors: Vec<RevokePackageError>,
}

user_error! {
    /// Why a package was not revoked.
    RevokePackageError,
    /// Why a package was not revoked, for a program to read.
    RevokePackageErrorCode {
        /// There is no such granted package.
        GrantedPackageNotFound,
        /// It is used up or has expired.
        NotActive,
        /// It was revoked with another refund.
        OtherRefund,
        /// The refund is below zero, or more than was paid.
        InvalidRefund,
    }
}

/// Writes.
#[derive(Default)]
pub struct GrantingMutation;

#[Object]
impl GrantingMutation {
    /// Buys a package for the caller's account, with its balance and credit. For owners, admins and
    /// billing. Idempotent by the key.
    async fn buy_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which package.")] input: BuyPackageInput,
    ) -> Answer<BuyPackagePayload> {
        let (ctx, id) = (call(context)?, parse_id(&input.package_id)?);
        let outcome = packages::buy(ctx, id, &input.idempotency_key).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(granted) => BuyPackagePayload {
                replayed: granted.replayed,
                granted_package: Some(shown(context, granted).await?),
                balance: Some(AccountBalance::new(billing::balance(ctx).await?)?),
                user_errors: Vec::new(),
            },
            Err(rejection) => BuyPackagePayload {
                granted_package: None,
                balance: None,
                replayed: false,
                user_errors: vec![buy_error(rejection)],
            },
        })
    }

    /// Gives an account a package for nothing. For the operator's owners, admins and billing.
    /// Idempotent by the key.
    async fn grant_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which package to whom.")] input: GrantPackageInput,
    ) -> Answer<GrantPackagePayload> {
        let (account_id, id) = (parse_id(&input.account_id)?, parse_id(&input.package_id)?);
        let key = &input.idempotency_key;
        let outcome = packages::grant(call(context)?, account_id, id, key).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(granted) => GrantPackagePayload {
                replayed: granted.replayed,
                granted_package: Some(shown(context, granted).await?),
                user_errors: Vec::new(),
            },
            Err(rejection) => GrantPackagePayload {
                granted_package: None,
                replayed: false,
                user_errors: vec![grant_error(rejection)],
            },
        })
    }

    /// Takes back what is left of an active package, and if wanted gives back money that was paid for
    /// it. Messages that it was promised to are still paid by it. For the operator's owners, admins
    /// and billing. Idempotent.
    async fn revoke_package(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which package.")] input: RevokePackageInput,
    ) -> Answer<RevokePackagePayload> {
        let (ctx, id) = (call(context)?, parse_id(&input.granted_package_id)?);
        let refund = input.refund.map_or(Micros::ZERO, |refund| refund.0);
        Ok(match value_or_rejection(packages::revoke(ctx, id, refund).await)? {
            Ok(row) => RevokePackagePayload {
                granted_package: Some(shown(context, Granted { row, replayed: false }).await?),
                user_errors: Vec::new(),
            },
            Err(rejection) => RevokePackagePayload {
                granted_package: None,
                user_errors: vec![revoke_error(rejection)],
            },
        })
    }
}

async fn shown(context: &Context<'_>, granted: Granted) -> Answer<GrantedPackage> {
    let found = packages::find_granted(call(context)?, granted.row.id).await?;
    let found = found.ok_or_else(|| Failed::internal("a package vanished that was granted"))?;
    Ok(GrantedPackage(found))
}

fn buy_error(rejection: BuyRejection) -> BuyPackageError {
    use BuyPackageErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        BuyRejection::InvalidIdempotencyKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        BuyRejection::IdempotencyKeyReused => (Code::IdempotencyKeyReused, &["idempotencyKey"]),
        BuyRejection::NotFound => (Code::PackageNotFound, &["packageId"]),
        BuyRejection::OtherCurrency => (Code::OtherCurrency, &["packageId"]),
        BuyRejection::InsufficientBalance => (Code::InsufficientBalance, &[]),
        BuyRejection::TooMany => (Code::TooManyPackages, &[]),
    };
    BuyPackageError::new(code, path, rejection)
}

fn grant_error(rejection: GrantRejection) -> GrantPackageError {
    use GrantPackageErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        GrantRejection::InvalidIdempotencyKey => (Code::InvalidIdempotencyKey, &["idempotencyKey"]),
        GrantRejection::IdempotencyKeyReused => (Code::IdempotencyKeyReused, &["idempotencyKey"]),
        GrantRejection::NoSuchAccount => (Code::AccountNotFound, &["accountId"]),
        GrantRejection::NoSuchPackage => (Code::PackageNotFound, &["packageId"]),
        GrantRejection::Archived => (Code::PackageArchived, &["packageId"]),
        GrantRejection::OtherCurrency => (Code::OtherCurrency, &["packageId"]),
        GrantRejection::TooMany => (Code::TooManyPackages, &[]),
    };
    GrantPackageError::new(code, path, rejection)
}

fn revoke_error(rejection: RevokeRejection) -> RevokePackageError {
    use RevokePackageErrorCode as Code;
    let (code, path) = match rejection {
        RevokeRejection::NotFound => (Code::GrantedPackageNotFound, "grantedPackageId"),
        RevokeRejection::NotActive => (Code::NotActive, "grantedPackageId"),
        RevokeRejection::OtherRefund => (Code::OtherRefund, "refund"),
        RevokeRejection::InvalidRefund => (Code::InvalidRefund, "refund"),
    };
    RevokePackageError::new(code, &[path], rejection)
}
