//! Vouchers in the contract. Behaviour: `crate::billing::vouchers`.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use super::billing::AccountBalance;
use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::{Answer, user_error, value_or_rejection};
use super::ids::show_id;
use super::money::Money;
use super::scalars::{CurrencyCode, Cursor, DateTime, Decimal};
use crate::billing;
use crate::billing::vouchers::{
    self, Batch, CreateVouchersRejection, NewVouchers, RedeemRejection, VouchersMade,
};
use crate::types::cursor::CursorKind;

/// A batch of vouchers.
#[derive(Clone, Debug)]
pub struct VoucherBatch(pub Batch);

/// Vouchers that were made together and are worth the same. Read by the operator's owners, admins
/// and billing; the codes are read by nobody.
#[Object]
impl VoucherBatch {
    /// The batch's id, `vbat_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.row.id)
    }

    /// What each voucher is worth.
    async fn amount(&self) -> Answer<Money> {
        Money::stored(self.0.row.amount_micros, &self.0.row.currency)
    }

    /// How many vouchers there are.
    async fn voucher_count(&self) -> i32 {
        self.0.row.voucher_count
    }

    /// How many of them have been redeemed.
    async fn redeemed_count(&self) -> i32 {
        i32::try_from(self.0.redeemed).unwrap_or(i32::MAX)
    }

    /// From when on they are worth nothing.
    async fn expires_at(&self) -> DateTime {
        self.0.row.expires_at_ms.into()
    }

    /// When they were made.
    async fn created_at(&self) -> DateTime {
        self.0.row.created_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct VouchersQuery;

#[Object]
impl VouchersQuery {
    /// All batches of vouchers, newest first. For the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn voucher_batches(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<VoucherBatch>> {
        let (ctx, kind) = (call(context)?, CursorKind::VoucherBatches);
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = vouchers::page(ctx, &request).await?;
        let total = match wants_total_count(context) {
            true => Some(vouchers::count(ctx).await?),
            false => None,
        };
        let page = page.map(|batch| (batch.row.id, VoucherBatch(batch)));
        Ok(Connection::new(kind, page, total))
    }
}

/// What `createVouchers` takes.
#[derive(InputObject, Debug)]
pub struct CreateVouchersInput {
    /// How many, 1 to 1,000.
    pub count: i32,
    /// What each is worth, above zero and at most a hundred million.
    pub amount: Decimal,
    /// In what.
    pub currency: CurrencyCode,
    /// From when on they are worth nothing, at most 10 years ahead.
    pub expires_at: DateTime,
}

/// What `createVouchers` answers.
#[derive(SimpleObject)]
pub struct CreateVouchersPayload {
    /// The batch; null if none was made.
    voucher_batch: Option<VoucherBatch>,
    /// The codes, at most 1,000, such as `ABCD-EFGH-JKMN-PQRS-TV`. They are shown this once and
    /// cannot be read again: whoever has one has the money.
    codes: Vec<String>,
    /// Why none was made; empty if they were.
    user_errors: Vec<CreateVouchersError>,
}

user_error! {
    /// Why no vouchers were made.
    CreateVouchersError,
    /// Why no vouchers were made, for a program to read.
    CreateVouchersErrorCode {
        /// Not 1 to 1,000.
        InvalidCount,
        /// Not above zero and at most a hundred million.
        InvalidAmount,
        /// Past, or more than 10 years ahead.
        InvalidExpiry,
    }
}

/// What `redeemVoucher` takes.
#[derive(InputObject, Debug)]
pub struct RedeemVoucherInput {
    /// 1 to 255 characters, unique for the redemption in the account: the same key and code give the
    /// same answer again.
    pub idempotency_key: String,
    /// The code. Case, blanks and dashes do not matter; I and L are read as 1, O as 0.
    pub code: String,
}

/// What `redeemVoucher` answers.
#[derive(SimpleObject)]
pub struct RedeemVoucherPayload {
    /// What the voucher was worth; null if it was not redeemed.
    amount: Option<Money>,
    /// What the account has now; null if it was not redeemed.
    balance: Option<AccountBalance>,
    /// Whether this is the answer to an earlier call with the same key.
    replayed: bool,
    /// Why not; empty if it was.
    user_errors: Vec<RedeemVoucherError>,
}

user_error! {
    /// Why a voucher was not redeemed.
    RedeemVoucherError,
    /// Why a voucher was not redeemed, for a program to read.
    RedeemVoucherErrorCode {
        /// The key is empty, longer than 255 characters, or has control characters.
        InvalidIdempotencyKey,
        /// The account redeemed another voucher under this key.
        IdempotencyKeyReused,
        /// It cannot be a code: a character is mistyped, or there are too few or too many.
        InvalidCode,
        /// There is no voucher with this code.
        VoucherNotFound,
        /// It has been redeemed, by this account or another.
        AlreadyRedeemed,
        /// Its time is over.
        VoucherExpired,
        /// It is in another currency than the account.
        OtherCurrency,
    }
}

/// Writes.
#[derive(Default)]
pub struct VouchersMutation;

#[Object]
impl VouchersMutation {
    /// Makes vouchers, and shows their codes this once. For the operator's owners, admins and
    /// billing. Not idempotent: each call makes others.
    async fn create_vouchers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, and what they are worth.")] input: CreateVouchersInput,
    ) -> Answer<CreateVouchersPayload> {
        let ctx = call(context)?;
        let new = NewVouchers {
            count: input.count,
            amount: input.amount.0,
            currency: input.currency.0,
            expires_at: input.expires_at.0,
        };
        Ok(match value_or_rejection(vouchers::create(ctx, new).await)? {
            Ok(VouchersMade { batch_id, codes }) => CreateVouchersPayload {
                voucher_batch: vouchers::find(ctx, batch_id).await?.map(VoucherBatch),
                codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
                user_errors: Vec::new(),
            },
            Err(rejection) => CreateVouchersPayload {
                voucher_batch: None,
                codes: Vec::new(),
                user_errors: vec![create_error(rejection)],
            },
        })
    }

    /// Gives the caller's account what a voucher is worth, once. After some wrong codes the account
    /// has to wait before the next, longer each time: `RATE_LIMITED` says how long. For owners,
    /// admins and billing. Idempotent by the key.
    async fn redeem_voucher(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The code.")] input: RedeemVoucherInput,
    ) -> Answer<RedeemVoucherPayload> {
        let ctx = call(context)?;
        let outcome = vouchers::redeem(ctx, &input.code, &input.idempotency_key).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(redeemed) => RedeemVoucherPayload {
                amount: Some(Money::new(redeemed.amount, redeemed.currency)),
                balance: Some(AccountBalance::new(billing::balance(ctx).await?)?),
                replayed: redeemed.replayed,
                user_errors: Vec::new(),
            },
            Err(rejection) => RedeemVoucherPayload {
                amount: None,
                balance: None,
                replayed: false,
                user_errors: vec![redeem_error(rejection)],
            },
        })
    }
}

fn create_error(rejection: CreateVouchersRejection) -> CreateVouchersError {
    use CreateVouchersErrorCode as Code;
    let (code, path) = match rejection {
        CreateVouchersRejection::InvalidCount => (Code::InvalidCount, "count"),
        CreateVouchersRejection::InvalidAmount => (Code::InvalidAmount, "amount"),
        CreateVouchersRejection::InvalidExpiry => (Code::InvalidExpiry, "expiresAt"),
    };
    CreateVouchersError::new(code, &[path], rejection)
}

fn redeem_error(rejection: RedeemRejection) -> RedeemVoucherError {
    use RedeemVoucherErrorCode as Code;
    let (code, path) = match rejection {
        RedeemRejection::InvalidIdempotencyKey => (Code::InvalidIdempotencyKey, "idempotencyKey"),
        RedeemRejection::IdempotencyKeyReused => (Code::IdempotencyKeyReused, "idempotencyKey"),
        RedeemRejection::InvalidCode => (Code::InvalidCode, "code"),
        RedeemRejection::NotFound => (Code::VoucherNotFound, "code"),
        RedeemRejection::AlreadyRedeemed => (Code::AlreadyRedeemed, "code"),
        RedeemRejection::Expired => (Code::VoucherExpired, "code"),
        RedeemRejection::OtherCurrency => (Code::OtherCurrency, "code"),
    };
    RedeemVoucherError::new(code, &[path], rejection)
}
