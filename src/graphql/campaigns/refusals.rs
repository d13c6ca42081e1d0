//! Why mutations of campaigns were refused.

use entity::enums::CampaignStatus;

use crate::campaigns::{
    LifecycleRejection, RetryRejection, StartRejection, VariantFault,
    WriteCampaignRejection as Write,
};
use crate::graphql::errors::user_error;

user_error! {
    /// Why a campaign was not made.
    CreateCampaignError,
    /// Why a campaign was not made, for a program to read.
    CreateCampaignErrorCode {
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// `sender` is not a name, a number or a short code.
        InvalidSender,
        /// A campaign is transactional or marketing.
        InvalidClass,
        /// `topic` has other characters, or is empty or longer than 50.
        InvalidTopic,
        /// The text is empty or too long, or a merge field is not well formed; `message` says which.
        InvalidText,
        /// A merge field names an attribute that the account does not have.
        UnknownAttribute,
        /// The audience names nobody, too many lists and segments, or one that there is not;
        /// `message` says which.
        InvalidAudience,
        /// The rate is not from 1 to 100,000.
        InvalidRate,
        /// `sendAt` is not in the future.
        SendAtInPast,
        /// `sendAt` is more than a year ahead.
        SendAtTooFar,
        /// `sendAtLocal` is not a date and time without an offset.
        InvalidSendAtLocal,
        /// Both `sendAt` and `sendAtLocal` are given.
        TwoTimes,
        /// As many campaigns are scheduled, run or are paused as may: 100.
        TooManyActiveCampaigns,
        /// There is neither a text nor variants.
        TextRequired,
        /// Both a text and variants are given.
        TextAndVariants,
        /// There are fewer than 2 variants, or more than 5.
        InvalidVariantCount,
        /// The name of a variant is empty, longer than 50 characters, or has control characters.
        InvalidVariantName,
        /// Two variants have the same name.
        DuplicateVariantName,
        /// The weight of a variant is not from 1 to 100.
        InvalidVariantWeight,
        /// There is no such domain, or it is not verified.
        LinkDomainNotVerified,
        /// `{{preferences}}` stands in the text, and the operator has set no public address.
        PreferencesUnavailable,
    }
}

/// Declares what is answered to a fault of a variant: a code, and the field of the variant.
macro_rules! variant_code {
    ($code:ident, $fault:expr) => {
        match $fault {
            VariantFault::InvalidName => ($code::InvalidVariantName, &["name"] as &[&str]),
            VariantFault::DuplicateName => ($code::DuplicateVariantName, &["name"]),
            VariantFault::InvalidWeight => ($code::InvalidVariantWeight, &["weight"]),
            VariantFault::Text(_) => ($code::InvalidText, &["text"]),
            VariantFault::UnknownAttribute => ($code::UnknownAttribute, &["text"]),
            VariantFault::NoPreferencePages => ($code::PreferencesUnavailable, &["text"]),
        }
    };
}

/// Where in the input a refusal is, with the variant's place before the field of a variant.
fn placed(rejection: Write, path: &[&str]) -> Vec<String> {
    let variant = match rejection {
        Write::Variant { index, .. } => vec!["variants".to_owned(), index.to_string()],
        _ => Vec::new(),
    };
    variant.into_iter().chain(path.iter().map(|field| (*field).to_owned())).collect()
}

impl From<Write> for CreateCampaignError {
    fn from(rejection: Write) -> Self {
        use CreateCampaignErrorCode as Code;
        let (code, path): (_, &[&str]) = match rejection {
            // A campaign that is being made is not looked for, and retries nothing.
            Write::InvalidName | Write::NotFound | Write::VersionConflict | Write::NotEditable => {
                (Code::InvalidName, &["name"])
            }
            Write::NoText => (Code::TextRequired, &["text"]),
            Write::TextAndVariants => (Code::TextAndVariants, &["variants"]),
            Write::VariantCount | Write::SplitOfRetry => (Code::InvalidVariantCount, &["variants"]),
            Write::Variant { fault, .. } => variant_code!(Code, fault),
            Write::InvalidSender => (Code::InvalidSender, &["sender"]),
            Write::InvalidClass => (Code::InvalidClass, &["class"]),
            Write::InvalidTopic => (Code::InvalidTopic, &["topic"]),
            Write::Text(_) => (Code::InvalidText, &["text"]),
            Write::UnknownAttribute => (Code::UnknownAttribute, &["text"]),
            Write::Audience(_) | Write::AudienceOfRetry => (Code::InvalidAudience, &["audience"]),
            Write::InvalidRate => (Code::InvalidRate, &["ratePerS"]),
            Write::SendAtInPast => (Code::SendAtInPast, &["sendAt"]),
            Write::SendAtTooFar => (Code::SendAtTooFar, &["sendAt"]),
            Write::InvalidSendAtLocal => (Code::InvalidSendAtLocal, &["sendAtLocal"]),
            Write::TwoTimes => (Code::TwoTimes, &["sendAtLocal"]),
            Write::TooManyActive => (Code::TooManyActiveCampaigns, &[]),
            Write::LinkDomainNotVerified => (Code::LinkDomainNotVerified, &["linkDomainId"]),
            Write::NoPreferencePages => (Code::PreferencesUnavailable, &["text"]),
        };
        let path = placed(rejection, path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Self::new(code, &path, rejection)
    }
}

user_error! {
    /// Why a campaign was not changed.
    UpdateCampaignError,
    /// Why a campaign was not changed, for a program to read.
    UpdateCampaignErrorCode {
        /// There is no such campaign.
        CampaignNotFound,
        /// It was changed since it was read: read it again.
        VersionConflict,
        /// It has started, or is over.
        NotEditable,
        /// The name is empty, longer than 100 characters, or has control characters.
        InvalidName,
        /// `sender` is not a name, a number or a short code.
        InvalidSender,
        /// A campaign is transactional or marketing.
        InvalidClass,
        /// `topic` has other characters, or is empty or longer than 50.
        InvalidTopic,
        /// The text is empty or too long, or a merge field is not well formed; `message` says which.
        InvalidText,
        /// A merge field names an attribute that the account does not have.
        UnknownAttribute,
        /// The audience names nobody, too many lists and segments, or one that there is not;
        /// `message` says which.
        InvalidAudience,
        /// The rate is not from 1 to 100,000.
        InvalidRate,
        /// Both a text and variants are given.
        TextAndVariants,
        /// There are fewer than 2 variants, or more than 5.
        InvalidVariantCount,
        /// The name of a variant is empty, longer than 50 characters, or has control characters.
        InvalidVariantName,
        /// Two variants have the same name.
        DuplicateVariantName,
        /// The weight of a variant is not from 1 to 100.
        InvalidVariantWeight,
        /// It retries another campaign, whose variants' names and weights it keeps: only their texts
        /// can be changed.
        VariantsOfRetry,
        /// There is no such domain, or it is not verified.
        LinkDomainNotVerified,
        /// `{{preferences}}` stands in the text, and the operator has set no public address.
        PreferencesUnavailable,
    }
}

impl From<Write> for UpdateCampaignError {
    fn from(rejection: Write) -> Self {
        use UpdateCampaignErrorCode as Code;
        let (code, path): (_, &[&str]) = match rejection {
            // Its time is changed by `scheduleCampaign` alone.
            Write::NotFound
            | Write::SendAtInPast
            | Write::SendAtTooFar
            | Write::InvalidSendAtLocal
            | Write::TwoTimes
            | Write::NoText
            | Write::TooManyActive => (Code::CampaignNotFound, &["campaignId"]),
            Write::TextAndVariants => (Code::TextAndVariants, &["variants"]),
            Write::VariantCount => (Code::InvalidVariantCount, &["variants"]),
            Write::SplitOfRetry => (Code::VariantsOfRetry, &["variants"]),
            Write::Variant { fault, .. } => variant_code!(Code, fault),
            Write::VersionConflict => (Code::VersionConflict, &["version"]),
            Write::NotEditable => (Code::NotEditable, &["campaignId"]),
            Write::InvalidName => (Code::InvalidName, &["name"]),
            Write::InvalidSender => (Code::InvalidSender, &["sender"]),
            Write::InvalidClass => (Code::InvalidClass, &["class"]),
            Write::InvalidTopic => (Code::InvalidTopic, &["topic"]),
            Write::Text(_) => (Code::InvalidText, &["text"]),
            Write::UnknownAttribute => (Code::UnknownAttribute, &["text"]),
            Write::Audience(_) | Write::AudienceOfRetry => (Code::InvalidAudience, &["audience"]),
            Write::InvalidRate => (Code::InvalidRate, &["ratePerS"]),
            Write::LinkDomainNotVerified => (Code::LinkDomainNotVerified, &["linkDomainId"]),
            Write::NoPreferencePages => (Code::PreferencesUnavailable, &["text"]),
        };
        let path = placed(rejection, path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        Self::new(code, &path, rejection)
    }
}

/// Declares the error of a mutation that changes a campaign's status: with the codes that each of
/// them has, and its own.
macro_rules! status_error {
    (
        $(#[$doc:meta])* $error:ident, $(#[$code_doc:meta])* $code:ident
        { $($(#[$variant_doc:meta])* $variant:ident,)* }
        $other:expr
    ) => {
        user_error! {
            $(#[$doc])* $error,
            $(#[$code_doc])* $code {
                /// There is no such campaign.
                CampaignNotFound,
                /// It is a draft.
                IsDraft,
                /// It is scheduled.
                IsScheduled,
                /// It is running.
                IsRunning,
                /// It is paused.
                IsPaused,
                /// It is finished.
                IsFinished,
                /// It is canceled.
                IsCanceled,
                /// It has failed.
                IsFailed,
                $($(#[$variant_doc])* $variant,)*
            }
        }

        impl From<LifecycleRejection> for $error {
            fn from(rejection: LifecycleRejection) -> Self {
                let other: fn(LifecycleRejection) -> ($code, &'static [&'static str]) = $other;
                let (code, path) = match rejection {
                    LifecycleRejection::WrongStatus(status) => {
                        let code = match status {
                            CampaignStatus::Draft => $code::IsDraft,
                            CampaignStatus::Scheduled => $code::IsScheduled,
                            CampaignStatus::Running => $code::IsRunning,
                            CampaignStatus::Paused => $code::IsPaused,
                            CampaignStatus::Finished => $code::IsFinished,
                            CampaignStatus::Canceled => $code::IsCanceled,
                            CampaignStatus::Failed => $code::IsFailed,
                        };
                        (code, &["campaignId"] as &[&str])
                    }
                    rejection => other(rejection),
                };
                Self::new(code, path, rejection)
            }
        }
    };
}

status_error! {
    /// Why a campaign was not paused.
    PauseCampaignError,
    /// Why a campaign was not paused, for a program to read.
    PauseCampaignErrorCode {}
    |_| (PauseCampaignErrorCode::CampaignNotFound, &["campaignId"])
}

status_error! {
    /// Why a campaign was not resumed.
    ResumeCampaignError,
    /// Why a campaign was not resumed, for a program to read.
    ResumeCampaignErrorCode {}
    |_| (ResumeCampaignErrorCode::CampaignNotFound, &["campaignId"])
}

status_error! {
    /// Why a campaign was not canceled.
    CancelCampaignError,
    /// Why a campaign was not canceled, for a program to read.
    CancelCampaignErrorCode {}
    |_| (CancelCampaignErrorCode::CampaignNotFound, &["campaignId"])
}

status_error! {
    /// Why a campaign was not scheduled.
    ScheduleCampaignError,
    /// Why a campaign was not scheduled, for a program to read.
    ScheduleCampaignErrorCode {
        /// `sendAt` is not in the future.
        SendAtInPast,
        /// `sendAt` is more than a year ahead.
        SendAtTooFar,
        /// `sendAtLocal` is not a date and time without an offset.
        InvalidSendAtLocal,
        /// Both `sendAt` and `sendAtLocal` are given.
        TwoTimes,
        /// As many campaigns are scheduled, run or are paused as may: 100.
        TooManyActiveCampaigns,
    }
    |rejection| match rejection {
        LifecycleRejection::Schedule(Write::SendAtInPast) => {
            (ScheduleCampaignErrorCode::SendAtInPast, &["sendAt"])
        }
        LifecycleRejection::Schedule(Write::SendAtTooFar) => {
            (ScheduleCampaignErrorCode::SendAtTooFar, &["sendAt"])
        }
        LifecycleRejection::Schedule(Write::InvalidSendAtLocal) => {
            (ScheduleCampaignErrorCode::InvalidSendAtLocal, &["sendAtLocal"])
        }
        LifecycleRejection::Schedule(Write::TwoTimes) => {
            (ScheduleCampaignErrorCode::TwoTimes, &["sendAtLocal"])
        }
        LifecycleRejection::Schedule(Write::TooManyActive) => {
            (ScheduleCampaignErrorCode::TooManyActiveCampaigns, &[])
        }
        _ => (ScheduleCampaignErrorCode::CampaignNotFound, &["campaignId"]),
    }
}

status_error! {
    /// Why a campaign was not started.
    StartCampaignError,
    /// Why a campaign was not started, for a program to read.
    StartCampaignErrorCode {
        /// It changed meanwhile: try again.
        CampaignChanged,
        /// The account is suspended: it may read, not send.
        AccountSuspended,
        /// An invoice was not paid for so long that the account may not send.
        PaymentOverdue,
        /// The sender is not registered with the account, or not approved.
        SenderNotApproved,
        /// There is nobody in the audience.
        AudienceEmpty,
        /// Everybody in the audience has objected or is suppressed.
        AudienceSuppressed,
        /// A list or segment of the audience is gone.
        AudienceGone,
        /// As many campaigns are scheduled, run or are paused as may: 100.
        TooManyActiveCampaigns,
        /// The domain of its links is not verified, or not any more.
        LinkDomainNotVerified,
    }
    |rejection| match rejection {
        LifecycleRejection::Schedule(Write::TooManyActive) => {
            (StartCampaignErrorCode::TooManyActiveCampaigns, &[])
        }
        LifecycleRejection::Changed => (StartCampaignErrorCode::CampaignChanged, &["campaignId"]),
        LifecycleRejection::Start(why) => (start_code(why), &["campaignId"]),
        _ => (StartCampaignErrorCode::CampaignNotFound, &["campaignId"]),
    }
}

const fn start_code(why: StartRejection) -> StartCampaignErrorCode {
    use StartCampaignErrorCode as Code;
    match why {
        StartRejection::AccountSuspended => Code::AccountSuspended,
        StartRejection::PaymentOverdue => Code::PaymentOverdue,
        StartRejection::SenderNotApproved => Code::SenderNotApproved,
        StartRejection::EmptyAudience => Code::AudienceEmpty,
        StartRejection::AllSuppressed => Code::AudienceSuppressed,
        StartRejection::Audience(_) => Code::AudienceGone,
        StartRejection::LinkDomainNotVerified => Code::LinkDomainNotVerified,
    }
}

user_error! {
    /// Why a campaign is not retried.
    RetryFailedCampaignError,
    /// Why a campaign is not retried, for a program to read.
    RetryFailedCampaignErrorCode {
        /// There is no such campaign.
        CampaignNotFound,
        /// It is not over: its messages are still being made or sent.
        CampaignNotOver,
        /// None of its messages failed for a reason that may have passed.
        NothingToRetry,
        /// Another campaign retries it and is not over.
        AlreadyRetried,
    }
}

impl From<RetryRejection> for RetryFailedCampaignError {
    fn from(rejection: RetryRejection) -> Self {
        use RetryFailedCampaignErrorCode as Code;
        let code = match rejection {
            RetryRejection::NotFound => Code::CampaignNotFound,
            RetryRejection::NotOver => Code::CampaignNotOver,
            RetryRejection::NothingToRetry => Code::NothingToRetry,
            RetryRejection::AlreadyRetried => Code::AlreadyRetried,
        };
        Self::new(code, &["campaignId"], rejection)
    }
}
