//! Stored enums of campaigns.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

stored_enum! {
    /// Where a campaign stands.
    CampaignStatus {
        /// Being written.
        Draft = 0,
        /// Starts by itself at its time.
        Scheduled = 1,
        /// Its messages are being made and sent.
        Running = 2,
        /// Nothing of it leaves.
        Paused = 3,
        /// Every message was made, and none waits to leave.
        Finished = 4,
        /// Ended by a person; what had not left is canceled.
        Canceled = 5,
        /// It could not start at its time.
        Failed = 6,
    }
}

stored_enum! {
    /// Why a campaign is PAUSED or FAILED.
    CampaignReason {
        /// A person paused it.
        Requested = 0,
        /// The money did not reach for the next message.
        InsufficientCredit = 1,
        /// Too many of its messages failed.
        FailureRatio = 2,
        /// The account is suspended.
        AccountSuspended = 3,
        /// An invoice is overdue.
        PaymentOverdue = 4,
        /// Its sender is not registered, or not approved.
        SenderNotApproved = 5,
        /// Nobody is in its audience.
        EmptyAudience = 6,
        /// Everybody in its audience is suppressed.
        AllSuppressed = 7,
        /// A list or segment of its audience is gone.
        AudienceGone = 8,
        /// The domain of its links is not verified, or not any more.
        LinkDomainNotVerified = 9,
    }
}
