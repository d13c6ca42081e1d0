//! Stored enums of contacts, consent and keywords.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

stored_enum! {
    /// What the values of an attribute are.
    AttributeKind {
        /// Text.
        Text = 0,
        /// An exact decimal.
        Number = 1,
        /// Yes or no.
        Boolean = 2,
        /// A day.
        Date = 3,
    }
}

stored_enum! {
    /// What a statement of consent says.
    ConsentKind {
        /// The person agrees to be written to.
        Granted = 0,
        /// The person objects.
        Withdrawn = 1,
        /// The account itself stops writing to the number.
        Suppressed = 2,
        /// The account takes its own stop back.
        Lifted = 3,
    }
}

stored_enum! {
    /// How a statement of consent came.
    ConsentSource {
        /// A form on a page of the account's.
        WebForm = 0,
        /// Paper.
        Paper = 1,
        /// A call.
        Phone = 2,
        /// Face to face.
        InPerson = 3,
        /// A keyword in a message from the phone.
        Keyword = 4,
        /// Our own preference page.
        PreferencePage = 5,
        /// A file of contacts.
        Import = 6,
        /// The account, of its own accord.
        Account = 7,
    }
}

stored_enum! {
    /// What a suppression or a statement of consent reaches.
    SuppressionScope {
        /// Everything of the account.
        Account = 0,
        /// What comes from one sender.
        Sender = 1,
        /// What is about one topic.
        Topic = 2,
    }
}

stored_enum! {
    /// Why a number is not written to.
    SuppressionReason {
        /// The person objected.
        OptedOut = 0,
        /// The account decided so.
        Manual = 1,
        /// The person complained.
        Complaint = 2,
    }
}

stored_enum! {
    /// What a keyword in a message from a phone does.
    KeywordAction {
        /// Nothing more is sent from the number that it was sent to.
        OptOut = 0,
        /// Takes that back.
        OptIn = 1,
        /// Says how to opt out.
        Help = 2,
        /// Is answered with the account's own words.
        Answer = 3,
    }
}

stored_enum! {
    /// The language of a keyword.
    KeywordLanguage {
        /// English.
        En = 0,
        /// French.
        Fr = 1,
        /// Spanish.
        Es = 2,
        /// Portuguese.
        Pt = 3,
        /// German.
        De = 4,
        /// Italian.
        It = 5,
        /// Dutch.
        Nl = 6,
        /// Turkish.
        Tr = 7,
        /// Swahili.
        Sw = 8,
        /// Indonesian.
        Id = 9,
        /// Arabic.
        Ar = 10,
        /// Urdu.
        Ur = 11,
        /// Hindi.
        Hi = 12,
    }
}

stored_enum! {
    /// Where the answer to a keyword stands.
    AutoReplyState {
        /// To be sent.
        Pending = 0,
        /// A message was accepted for it.
        Sent = 1,
        /// It cannot be sent; the row says why.
        Refused = 2,
    }
}

stored_enum! {
    /// Where an import stands. The first four are open.
    ImportStatus {
        /// Its file is to be uploaded.
        AwaitingUpload = 0,
        /// Its file is being uploaded.
        Uploading = 1,
        /// A worker is to begin with it.
        Queued = 2,
        /// A worker is at it.
        Running = 3,
        /// All rows were read; some may have failed.
        Finished = 4,
        /// It cannot go on; what was imported before stays.
        Failed = 5,
        /// Somebody ended it; what was imported before stays.
        Canceled = 6,
        /// No file came in time.
        Expired = 7,
    }
}

stored_enum! {
    /// Why an import cannot go on.
    ImportFailure {
        /// No column holds numbers.
        NoNumberColumn = 0,
        /// A column that was named is not in the file.
        UnknownColumn = 1,
        /// An attribute is not there any more.
        UnknownAttribute = 2,
        /// A list is not there any more.
        UnknownList = 3,
        /// Two columns are for one thing.
        AmbiguousColumn = 4,
        /// The file holds no row.
        Empty = 5,
        /// What was uploaded cannot be read back.
        Unreadable = 6,
    }
}

stored_enum! {
    /// What a part of an import's files holds.
    ImportPartKind {
        /// What was uploaded.
        Upload = 0,
        /// What is wrong with rows.
        Errors = 1,
    }
}
