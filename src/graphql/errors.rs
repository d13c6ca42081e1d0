//! Errors as the contract shows them: top-level ones with a code of a closed list, and the
//! interface of those in payloads. Not the request's id, which the HTTP edge adds to every error,
//! and not its log line, for which the failure rides along as the error's source.

use std::error::Error as StdError;
use std::sync::Arc;

use async_graphql::Interface;
use sea_orm::DbErr;

use super::billing::SetCreditError;
use super::campaigns::{
    CancelCampaignError, CreateCampaignError, PauseCampaignError, PreviewCampaignError,
    ResumeCampaignError, RetryFailedCampaignError, ScheduleCampaignError, SendCampaignTestError,
    StartCampaignError, UpdateCampaignError,
};
use super::carriers::{
    AddCarrierError, DisableCarrierError, EnableCarrierError, UpdateCarrierError,
};
use super::contacts::{
    AddToListError, CancelContactImportError, CreateContactAttributeError, CreateContactError,
    CreateKeywordError, CreateListError, CreateSegmentError, DeleteContactAttributeError,
    DeleteContactError, DeleteKeywordError, DeleteListError, DeleteSegmentError,
    ExportContactsError, ImportContactsError, RecordConsentError, RemoveFromListError,
    SuppressError, UnsuppressError, UpdateContactError, UpdateListError, UpdateSegmentError,
};
use super::identity::accounts::{CreateAccountError, UpdateAccountError};
use super::identity::api_keys::{CreateApiKeyError, RevokeApiKeyError, RotateApiKeyError};
use super::identity::people::{RemovePersonError, SetRoleError};
use super::identity::sessions::{LogInError, LogOutError, RefreshSessionError};
use super::identity::sign_up::{AcceptOwnerLinkError, SignUpError};
use super::identity::standing::{
    ReactivateAccountError, ReissueOwnerLinkError, SuspendAccountError,
};
use super::invoices::refusals::{
    AddInvoiceLineError, ArchiveTaxRateError, CreateCreditNoteError, CreateInvoiceError,
    CreateTaxRateError, DiscardInvoiceError, ExtendInvoiceError, FinalizeInvoiceError,
    MarkUncollectibleError, PayInvoiceError, RecordPaymentError, RecordWithholdingError,
    RemoveInvoiceLineError, SetAccountTaxRatesError, SetBillingProfileError, VoidInvoiceError,
};
use super::link_domains::{CreateLinkDomainError, DeleteLinkDomainError, VerifyLinkDomainError};
use super::messages::{
    CancelMessageError, CancelMessagesError, EstimateMessagesError, SendMessageError,
    SendMessagesError,
};
use super::packages::{
    ArchivePackageError, BuyPackageError, CreatePackageError, GrantPackageError,
    ImportPackagesError, RevokePackageError, UpdatePackageError,
};
use super::payments::{
    AddProcessorError, DisableAutomaticTopUpError, RefundPaymentError, RemovePaymentMethodError,
    RetryWebhookEventError, RotateProcessorSecretError, SetAutomaticTopUpError,
    StartInvoicePaymentError, StartTopUpError,
};
use super::plans::{
    CreatePlanError, DeletePlanError, SubscribeAccountError, UnsubscribeAccountError,
    UpdatePlanError,
};
use super::rate_cards::{
    AssignRateCardError, CreateRateCardError, DeleteRateCardError, ImportRatesError,
    RemoveRatesError, SetRatesError, UpdateRateCardError,
};
use super::routes::{CreateRouteError, DeleteRouteError, UpdateRouteError};
use super::senders::{ApproveSenderError, RegisterSenderError, RejectSenderError};
use super::vouchers::{CreateVouchersError, RedeemVoucherError};
use crate::error::{Error, Failed};

/// What a resolver answers with.
pub type Answer<T> = Result<T, Fault>;

/// A failure on its way out of a resolver.
///
/// It has no `Display` on purpose: async-graphql turns whatever has one into an error that shows
/// that text and no code, and a failure's source must not be shown.
#[derive(Clone, Debug)]
pub enum Fault {
    /// What every command shares; one failure of a loader is that of every field that waited.
    Failed(Arc<Failed>),
    /// The cursor is older than the event log.
    EventCursorExpired,
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        Self::Failed(Arc::new(failed))
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        Failed::from(error).into()
    }
}

impl From<Fault> for async_graphql::Error {
    fn from(fault: Fault) -> Self {
        let mut error = Self::new(fault.message());
        let mut extensions = async_graphql::ErrorExtensionValues::default();
        extensions.set("code", fault.code());
        if let Fault::Failed(failed) = fault {
            if let Failed::RateLimited { retry_after_ms } = &*failed {
                extensions.set("retryAfterMs", *retry_after_ms);
            }
            // The edge logs the chain of causes: it looks for this type.
            let cause: Arc<dyn StdError + Send + Sync> = failed;
            error.source = Some(Arc::new(cause));
        }
        error.extensions = Some(extensions);
        error
    }
}

impl Fault {
    fn message(&self) -> String {
        match self {
            Self::Failed(failed) => failed.to_string(),
            Self::EventCursorExpired => {
                "the cursor is older than the event log: read the state anew, then subscribe \
                 without it"
                    .to_owned()
            }
        }
    }

    /// `extensions.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EventCursorExpired => "EVENT_CURSOR_EXPIRED",
            Self::Failed(failed) => match &**failed {
                Failed::Unauthenticated => "UNAUTHENTICATED",
                Failed::Forbidden(_) => "FORBIDDEN",
                Failed::BadRequest(_) => "BAD_REQUEST",
                Failed::InvalidId(_) => "INVALID_ID",
                Failed::RateLimited { .. } => "RATE_LIMITED",
                Failed::Unavailable(_) => "UNAVAILABLE",
                Failed::Internal(_) => "INTERNAL",
            },
        }
    }
}

/// Parts what a command answered: its value, or the rejection that goes into the payload; a
/// failure leaves the resolver.
///
/// # Errors
/// The failure.
pub fn value_or_rejection<T, R>(outcome: Result<T, Error<R>>) -> Answer<Result<T, R>> {
    match outcome {
        Ok(value) => Ok(Ok(value)),
        Err(Error::Rejected(rejection)) => Ok(Err(rejection)),
        Err(Error::Failed(failed)) => Err(failed.into()),
    }
}

/// Declares the error of one mutation: an object with `message`, `path` and `code`, and the enum
/// of its codes; behind them one more field may stand, null unless it is set. Add the object to
/// [`UserError`].
macro_rules! user_error {
    (
        $(#[$doc:meta])* $error:ident, $(#[$code_doc:meta])* $code:ident {
            $($(#[$variant_doc:meta])* $variant:ident,)*
        }
        $(, $(#[$field_doc:meta])* $field:ident: $type:ty)?
    ) => {
        $(#[$code_doc])*
        #[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $code {
            $($(#[$variant_doc])* $variant,)*
        }

        $(#[$doc])*
        #[derive(async_graphql::SimpleObject, Clone, Debug)]
        pub struct $error {
            /// What is wrong, for a person to read; it may change. At most a few hundred
            /// characters.
            pub message: String,
            /// Where in the input, from the argument's field down: names, and positions in lists
            /// from 0 as digits; at most 8 segments. Null if no single field is to blame.
            pub path: Option<Vec<String>>,
            /// What is wrong, for a program to read.
            pub code: $code,
            $($(#[$field_doc])* pub $field: Option<$type>,)?
        }

        impl $error {
            /// An error about one field of the input, or about none in particular.
            pub fn new(code: $code, path: &[&str], message: impl std::fmt::Display) -> Self {
                let path = (!path.is_empty())
                    .then(|| path.iter().map(|segment| (*segment).to_owned()).collect());
                Self { message: message.to_string(), path, code, $($field: None,)? }
            }
        }
    };
}
pub(crate) use user_error;

/// A problem with the input of a mutation that its caller can mend. Nothing was changed, unless the
/// mutation says otherwise of parts of a batch.
#[derive(Debug, Interface)]
#[graphql(
    field(
        name = "message",
        ty = "&String",
        desc = "What is wrong, for a person to read; it may change."
    ),
    field(
        name = "path",
        ty = "&Option<Vec<String>>",
        desc = "Where in the input, from the argument's field down, at most 8 segments; null if no \
                single field is to blame."
    )
)]
pub enum UserError {
    /// Of `setCredit`.
    SetCredit(SetCreditError),
    /// Of `startTopUp`.
    StartTopUp(StartTopUpError),
    /// Of `refundPayment`.
    RefundPayment(RefundPaymentError),
    /// Of `retryWebhookEvent`.
    RetryWebhookEvent(RetryWebhookEventError),
    /// Of `addProcessor`.
    AddProcessor(AddProcessorError),
    /// Of `rotateProcessorSecret`.
    RotateProcessorSecret(RotateProcessorSecretError),
    /// Of `logIn`.
    LogIn(LogInError),
    /// Of `refreshSession`.
    RefreshSession(RefreshSessionError),
    /// Of `logOut`.
    LogOut(LogOutError),
    /// Of `signUp`.
    SignUp(SignUpError),
    /// Of `acceptOwnerLink`.
    AcceptOwnerLink(AcceptOwnerLinkError),
    /// Of `createAccount`.
    CreateAccount(CreateAccountError),
    /// Of `updateAccount`.
    UpdateAccount(UpdateAccountError),
    /// Of `suspendAccount`.
    SuspendAccount(SuspendAccountError),
    /// Of `reactivateAccount`.
    ReactivateAccount(ReactivateAccountError),
    /// Of `reissueOwnerLink`.
    ReissueOwnerLink(ReissueOwnerLinkError),
    /// Of `setRole`.
    SetRole(SetRoleError),
    /// Of `removePerson`.
    RemovePerson(RemovePersonError),
    /// Of `createApiKey`.
    CreateApiKey(CreateApiKeyError),
    /// Of `rotateApiKey`.
    RotateApiKey(RotateApiKeyError),
    /// Of `revokeApiKey`.
    RevokeApiKey(RevokeApiKeyError),
    /// Of `registerSender`.
    RegisterSender(RegisterSenderError),
    /// Of `approveSender`.
    ApproveSender(ApproveSenderError),
    /// Of `rejectSender`.
    RejectSender(RejectSenderError),
    /// Of `addCarrier`.
    AddCarrier(AddCarrierError),
    /// Of `updateCarrier`.
    UpdateCarrier(UpdateCarrierError),
    /// Of `enableCarrier`.
    EnableCarrier(EnableCarrierError),
    /// Of `disableCarrier`.
    DisableCarrier(DisableCarrierError),
    /// Of `createRoute`.
    CreateRoute(CreateRouteError),
    /// Of `updateRoute`.
    UpdateRoute(UpdateRouteError),
    /// Of `deleteRoute`.
    DeleteRoute(DeleteRouteError),
    /// Of `createRateCard`.
    CreateRateCard(CreateRateCardError),
    /// Of `updateRateCard`.
    UpdateRateCard(UpdateRateCardError),
    /// Of `deleteRateCard`.
    DeleteRateCard(DeleteRateCardError),
    /// Of `assignRateCard`.
    AssignRateCard(AssignRateCardError),
    /// Of `setRates`.
    SetRates(SetRatesError),
    /// Of `removeRates`.
    RemoveRates(RemoveRatesError),
    /// Of `importRates`.
    ImportRates(ImportRatesError),
    /// Of `createPlan`.
    CreatePlan(CreatePlanError),
    /// Of `updatePlan`.
    UpdatePlan(UpdatePlanError),
    /// Of `deletePlan`.
    DeletePlan(DeletePlanError),
    /// Of `subscribeAccount`.
    SubscribeAccount(SubscribeAccountError),
    /// Of `unsubscribeAccount`.
    UnsubscribeAccount(UnsubscribeAccountError),
    /// Of `createPackage`.
    CreatePackage(CreatePackageError),
    /// Of `updatePackage`.
    UpdatePackage(UpdatePackageError),
    /// Of `archivePackage`.
    ArchivePackage(ArchivePackageError),
    /// Of `importPackages`.
    ImportPackages(ImportPackagesError),
    /// Of `grantPackage`.
    GrantPackage(GrantPackageError),
    /// Of `buyPackage`.
    BuyPackage(BuyPackageError),
    /// Of `revokePackage`.
    RevokePackage(RevokePackageError),
    /// Of `createVouchers`.
    CreateVouchers(CreateVouchersError),
    /// Of `redeemVoucher`.
    RedeemVoucher(RedeemVoucherError),
    /// Of a whole `sendMessages`.
    SendMessages(SendMessagesError),
    /// Of one message of `sendMessages` or `estimateMessages`.
    SendMessage(SendMessageError),
    /// Of a whole `estimateMessages`.
    EstimateMessages(EstimateMessagesError),
    /// Of a whole `cancelMessages`.
    CancelMessages(CancelMessagesError),
    /// Of one message of `cancelMessages`.
    CancelMessage(CancelMessageError),
    /// Of `setBillingProfile`.
    SetBillingProfile(SetBillingProfileError),
    /// Of `createTaxRate`.
    CreateTaxRate(CreateTaxRateError),
    /// Of `archiveTaxRate`.
    ArchiveTaxRate(ArchiveTaxRateError),
    /// Of `setAccountTaxRates`.
    SetAccountTaxRates(SetAccountTaxRatesError),
    /// Of `createInvoice`.
    CreateInvoice(CreateInvoiceError),
    /// Of `addInvoiceLine`.
    AddInvoiceLine(AddInvoiceLineError),
    /// Of `removeInvoiceLine`.
    RemoveInvoiceLine(RemoveInvoiceLineError),
    /// Of `finalizeInvoice`.
    FinalizeInvoice(FinalizeInvoiceError),
    /// Of `voidInvoice`.
    VoidInvoice(VoidInvoiceError),
    /// Of `markUncollectible`.
    MarkUncollectible(MarkUncollectibleError),
    /// Of `createCreditNote`.
    CreateCreditNote(CreateCreditNoteError),
    /// Of `recordPayment`.
    RecordPayment(RecordPaymentError),
    /// Of `recordWithholding`.
    RecordWithholding(RecordWithholdingError),
    /// Of `extendInvoice`.
    ExtendInvoice(ExtendInvoiceError),
    /// Of `discardInvoice`.
    DiscardInvoice(DiscardInvoiceError),
    /// Of `payInvoice`.
    PayInvoice(PayInvoiceError),
    /// Of `startInvoicePayment`.
    StartInvoicePayment(StartInvoicePaymentError),
    /// Of `removePaymentMethod`.
    RemovePaymentMethod(RemovePaymentMethodError),
    /// Of `setAutomaticTopUp`.
    SetAutomaticTopUp(SetAutomaticTopUpError),
    /// Of `disableAutomaticTopUp`.
    DisableAutomaticTopUp(DisableAutomaticTopUpError),
    /// Of `createContactAttribute`.
    CreateContactAttribute(CreateContactAttributeError),
    /// Of `deleteContactAttribute`.
    DeleteContactAttribute(DeleteContactAttributeError),
    /// Of `createContact`.
    CreateContact(CreateContactError),
    /// Of `updateContact`.
    UpdateContact(UpdateContactError),
    /// Of `deleteContact`.
    DeleteContact(DeleteContactError),
    /// Of `createList`.
    CreateList(CreateListError),
    /// Of `updateList`.
    UpdateList(UpdateListError),
    /// Of `deleteList`.
    DeleteList(DeleteListError),
    /// Of `addToList`.
    AddToList(AddToListError),
    /// Of `removeFromList`.
    RemoveFromList(RemoveFromListError),
    /// Of `createSegment`.
    CreateSegment(CreateSegmentError),
    /// Of `updateSegment`.
    UpdateSegment(UpdateSegmentError),
    /// Of `deleteSegment`.
    DeleteSegment(DeleteSegmentError),
    /// Of `recordConsent`.
    RecordConsent(RecordConsentError),
    /// Of `createKeyword`.
    CreateKeyword(CreateKeywordError),
    /// Of `deleteKeyword`.
    DeleteKeyword(DeleteKeywordError),
    /// Of `suppress`.
    Suppress(SuppressError),
    /// Of `unsuppress`.
    Unsuppress(UnsuppressError),
    /// Of `importContacts`.
    ImportContacts(ImportContactsError),
    /// Of `cancelContactImport`.
    CancelContactImport(CancelContactImportError),
    /// Of `exportContacts`.
    ExportContacts(ExportContactsError),
    /// Of `createCampaign`.
    CreateCampaign(CreateCampaignError),
    /// Of `updateCampaign`.
    UpdateCampaign(UpdateCampaignError),
    /// Of `scheduleCampaign`.
    ScheduleCampaign(ScheduleCampaignError),
    /// Of `startCampaign`.
    StartCampaign(StartCampaignError),
    /// Of `pauseCampaign`.
    PauseCampaign(PauseCampaignError),
    /// Of `resumeCampaign`.
    ResumeCampaign(ResumeCampaignError),
    /// Of `cancelCampaign`.
    CancelCampaign(CancelCampaignError),
    /// Of `previewCampaign`.
    PreviewCampaign(PreviewCampaignError),
    /// Of `sendCampaignTest`.
    SendCampaignTest(SendCampaignTestError),
    /// Of `retryFailedCampaign`.
    RetryFailedCampaign(RetryFailedCampaignError),
    /// Of `createLinkDomain`.
    CreateLinkDomain(CreateLinkDomainError),
    /// Of `verifyLinkDomain`.
    VerifyLinkDomain(VerifyLinkDomainError),
    /// Of `deleteLinkDomain`.
    DeleteLinkDomain(DeleteLinkDomainError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_rides_along_and_is_not_shown() {
        let failed = Failed::internal("the table is on fire");
        let error = async_graphql::Error::from(Fault::from(failed));
        assert!(!error.message.contains("fire"));
        let server = error.into_server_error(async_graphql::Pos::default());
        let source = server.source::<Arc<dyn StdError + Send + Sync>>().unwrap();
        let cause = std::error::Error::source(source.as_ref()).unwrap();
        assert_eq!(cause.to_string(), "the table is on fire");
        assert_eq!(server.extensions.unwrap().get("code"), Some(&"INTERNAL".into()));
    }

    #[test]
    fn when_to_come_back_is_told() {
        let limited = Fault::from(Failed::RateLimited { retry_after_ms: 250 });
        let error = async_graphql::Error::from(limited);
        assert_eq!(error.extensions.unwrap().get("retryAfterMs"), Some(&250u64.into()));
    }
}
