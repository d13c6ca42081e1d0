//! Stored enums. The numbers are the stored values and never change their meaning.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

macro_rules! stored_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum,
            Serialize, Deserialize,
        )]
        #[sea_orm(rs_type = "i16", db_type = "SmallInteger")]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum $name {
            $($(#[$vdoc])* #[sea_orm(num_value = $value)] $variant,)*
        }

        impl $name {
            /// Every value, in stored order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stored number.
            pub const fn code(self) -> i16 {
                match self { $(Self::$variant => $value),* }
            }

            /// The value with this stored number.
            pub const fn from_code(code: i16) -> Option<Self> {
                match code { $($value => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

mod billing;
mod campaigns;
mod contacts;
mod links;

pub use billing::{
    AllocationKind, AutomaticTopUpEnd, BillingTerms, BookKind, DifferenceKind, InvoiceKind,
    InvoiceLineKind, InvoiceStatus, MailKind, MailState, PackageKind, PackageSource, PackageState,
    PaymentFlow, PaymentPurpose, PaymentStatus, ProcessorKind, Purse, TaxKind, TransferCode,
    ValidityUnit, WebhookState,
};
pub use campaigns::{CampaignReason, CampaignStatus};
pub use contacts::{
    AttributeKind, AutoReplyState, ConsentKind, ConsentSource, ImportFailure, ImportPartKind,
    ImportStatus, KeywordAction, KeywordLanguage, SuppressionReason, SuppressionScope,
};
pub use links::{AgentFamily, ClickKind, LinkDomainStatus};

stored_enum! {
    /// Whether an account is a customer's or the operator's own.
    AccountKind {
        /// A customer: a tenant.
        Customer = 0,
        /// The business that runs the platform.
        Operator = 1,
    }
}

stored_enum! {
    /// Whether an account may act.
    AccountStatus {
        /// It may.
        Active = 0,
        /// It may read, not send.
        Suspended = 1,
        /// Nobody may sign in to it.
        Closed = 2,
    }
}

stored_enum! {
    /// What a person may do in an account; `authz::policy` says what each means.
    Role {
        /// Everything, also closing the account and making other owners.
        Owner = 0,
        /// Everything but owners.
        Admin = 1,
        /// Keys, senders and messages.
        Developer = 2,
        /// Money.
        Billing = 3,
        /// Reads messages to answer questions about them.
        Support = 4,
        /// Reads.
        Viewer = 5,
    }
}

stored_enum! {
    /// What a one-time link is for.
    LinkPurpose {
        /// The first owner of an account sets a password.
        FirstOwner = 0,
    }
}

stored_enum! {
    /// Whether a key moves real messages.
    KeyMode {
        /// It does.
        Live = 0,
        /// It plays the whole life without sending anything.
        Test = 1,
    }
}

stored_enum! {
    /// The kind of sender that a phone shows.
    SenderKind {
        /// A name of up to 11 GSM characters.
        Alphanumeric = 0,
        /// A number in E.164.
        International = 1,
        /// A short code.
        ShortCode = 2,
    }
}

stored_enum! {
    /// Whether the operator lets an account use a sender.
    SenderStatus {
        /// Not decided.
        Pending = 0,
        /// It may be used.
        Approved = 1,
        /// It may not.
        Rejected = 2,
    }
}

stored_enum! {
    /// How a carrier is reached.
    CarrierKind {
        /// The simulator inside the process, for test keys.
        Simulator = 0,
        /// SMPP 3.4.
        Smpp = 1,
    }
}

stored_enum! {
    /// What a message is for; also its lane, the lower going first.
    MessageClass {
        /// A one-time password: seconds matter.
        Otp = 0,
        /// Something that the recipient's own doing brought about.
        Transactional = 1,
        /// Advertising.
        Marketing = 2,
    }
}

stored_enum! {
    /// Where a message stands. The number is the rank: a status only ever gives way to a higher
    /// one, and those from 100 on never change.
    MessageStatus {
        /// Waits for its `sendAt`.
        Scheduled = 0,
        /// Held back (quiet hours, credit, paused).
        Held = 5,
        /// Waits to be handed over.
        Queued = 10,
        /// Being handed over.
        Sending = 20,
        /// The carrier took every part.
        Sent = 30,
        /// The carrier reports it under way.
        Enroute = 35,
        /// It cannot be known; a late receipt may still tell.
        Unknown = 90,
        /// Its validity ended by our clock; a late receipt may still win.
        ExpiredHere = 95,
        /// On the phone.
        Delivered = 100,
        /// The carrier could not deliver it.
        Undelivered = 101,
        /// The carrier says that its validity ended.
        Expired = 102,
        /// The carrier refused it after taking it.
        Rejected = 103,
        /// It could not be handed over.
        Failed = 104,
        /// Canceled before it left.
        Canceled = 105,
        /// The recipient does not want it.
        Suppressed = 106,
    }
}

stored_enum! {
    /// How a text is encoded on the air.
    Encoding {
        /// GSM 03.38, seven bits: the default alphabet or a national one.
        Gsm7 = 0,
        /// UCS-2 (UTF-16 code units).
        Ucs2 = 1,
    }
}

stored_enum! {
    /// A language with tables of its own in the GSM alphabet. The numbers are the identifiers of
    /// 3GPP TS 23.038, 6.2.1.2.4.
    NationalLanguage {
        /// Both tables.
        Turkish = 1,
        /// A single shift table alone.
        Spanish = 2,
        /// Both tables.
        Portuguese = 3,
    }
}

stored_enum! {
    /// How one part of one attempt stands.
    PartState {
        /// The carrier took it.
        Accepted = 0,
        /// The carrier refused it.
        Refused = 1,
        /// No answer came.
        Uncertain = 2,
        /// It never left.
        NotSubmitted = 3,
        /// Receipt: delivered.
        Delivered = 4,
        /// Receipt: ended otherwise.
        Undelivered = 5,
    }
}

stored_enum! {
    /// What an entry of the event log tells.
    EventKind {
        /// A message took a new status.
        MessageStatusChanged = 0,
        /// A message arrived from a phone.
        MessageReceived = 1,
        /// A payment of an invoice went back: more of it is due again.
        InvoiceReopened = 19,
        /// An invoice, statement or credit note was finalized.
        InvoiceFinalized = 20,
        /// An invoice was paid in full.
        InvoicePaid = 21,
        /// An invoice was not paid when it was due.
        InvoiceOverdue = 22,
        /// An invoice was made void.
        InvoiceVoided = 23,
        /// An invoice was given up.
        InvoiceUncollectible = 24,
        /// A part of an invoice was paid or taken off by a credit note.
        InvoiceReduced = 25,
        /// A reminder of an invoice was given.
        InvoiceReminded = 26,
        /// An invoice was given more time.
        InvoiceExtended = 27,
        /// An account may not send until its overdue invoices are paid.
        SendingSuspended = 28,
        /// An account may send again.
        SendingResumed = 29,
        /// A payment was collected.
        PaymentSucceeded = 30,
        /// A payment failed, was called off or ran out.
        PaymentFailed = 31,
        /// Some of a payment, or all, was given back.
        PaymentRefunded = 32,
        /// A payment is disputed, or a dispute moved money.
        PaymentDisputed = 33,
        /// Automatic top-up ended without having been asked to.
        AutomaticTopUpEnded = 34,
        /// A package was granted.
        PackageGranted = 35,
        /// Nothing is left of a package.
        PackageUsedUp = 36,
        /// A package expired with something left.
        PackageExpired = 37,
        /// A package was revoked.
        PackageRevoked = 38,
        /// A day's comparison with a processor's books found differences.
        ReconciliationDiffers = 40,
        /// A campaign took a new status.
        CampaignStatusChanged = 41,
        /// A person objected to being written to.
        OptedOut = 45,
        /// A person answered a message.
        Replied = 46,
        /// A person followed a short link of a message, and had followed one of it before.
        LinkClicked = 47,
        /// A person followed a short link of a message for the first time.
        RecipientClicked = 48,
    }
}
