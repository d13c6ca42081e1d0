//! Stored enums of money: the ledger, invoices and payments.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

stored_enum! {
    /// What an account's money is kept in. Each purse has a journal of its own.
    Purse {
        /// Money.
        Money = 0,
        /// Credit of a package, which expires.
        Credit = 1,
        /// Parts of a package, which expire; a part is a whole unit.
        Parts = 2,
    }
}

stored_enum! {
    /// A book of a journal: what a leg of a transfer is written to.
    BookKind {
        /// What the customer has with us; negative: what the customer owes us.
        Customer = 0,
        /// Earned by messages.
        MessageRevenue = 1,
        /// Earned otherwise: subscriptions, packages, fees.
        OtherRevenue = 2,
        /// At a processor and not paid out yet; the detail is the processor's endpoint.
        Clearing = 3,
        /// Taken by a processor as its fee.
        ProcessorFees = 4,
        /// Owed to the tax authority; the detail is the tax.
        Tax = 5,
        /// Withheld by the customer as advance tax.
        Withholding = 6,
        /// Given away: vouchers, packages, goodwill.
        Promotion = 7,
        /// Money of nobody known.
        Suspense = 8,
        /// Paid out to the bank.
        Bank = 9,
        /// Set by the operator: starting balances and corrections.
        Adjustment = 10,
    }
}

stored_enum! {
    /// What a transfer is for.
    TransferCode {
        /// Messages that carriers took.
        Messages = 0,
        /// The operator's own.
        Adjustment = 1,
        /// A payment came in.
        Payment = 2,
        /// The processor's fee for it.
        ProcessorFee = 3,
        /// A payment went back.
        Refund = 4,
        /// The bank took a payment back for the time being.
        DisputeWithdrawn = 5,
        /// The bank gave it back.
        DisputeReinstated = 6,
        /// The processor paid out to the bank.
        Payout = 7,
        /// A voucher was redeemed.
        Voucher = 8,
        /// A package was bought.
        PackageBought = 9,
        /// What a package gave.
        PackageGranted = 10,
        /// What was left of a package when it expired.
        PackageExpired = 11,
        /// A month of a subscription.
        Subscription = 12,
        /// Tax of an invoice.
        Tax = 13,
        /// Tax that the customer paid to the authority on our behalf.
        Withholding = 14,
        /// A credit note.
        CreditNote = 15,
        /// What cannot be collected any more.
        WriteOff = 16,
        /// A transfer was taken back.
        Reversal = 17,
        /// Money whose owner was found.
        SuspenseCleared = 18,
    }
}

stored_enum! {
    /// Why automatic top-up does not run any more.
    AutomaticTopUpEnd {
        /// The account ended it.
        Disabled = 0,
        /// Too many payments in a row failed.
        PaymentsFailed = 1,
        /// The means of payment was removed.
        MethodRemoved = 2,
    }
}

stored_enum! {
    /// When an account pays.
    BillingTerms {
        /// Before it sends.
        Prepaid = 0,
        /// By monthly invoice, up to its credit limit.
        Postpaid = 1,
    }
}

stored_enum! {
    /// Which document it is. Each has a series of numbers of its own.
    InvoiceKind {
        /// What an account has to pay.
        Invoice = 0,
        /// What a month cost that was paid beforehand: nothing is due.
        Statement = 1,
        /// What is taken off an invoice.
        CreditNote = 2,
    }
}

stored_enum! {
    /// What paid a part of an invoice.
    AllocationKind {
        /// A payment.
        Payment = 0,
        /// Credit that the customer had.
        Credit = 1,
        /// Tax that the customer kept back and paid to the authority.
        Withholding = 2,
    }
}

stored_enum! {
    /// How a tax is collected.
    TaxKind {
        /// On sales: value added tax, sales tax, excise.
        Sales = 0,
        /// Of the customer's income, collected in advance, and certified each year.
        Withholding = 1,
    }
}

stored_enum! {
    /// What an e-mail tells.
    MailKind {
        /// A document was finalized.
        Finalized = 0,
        /// An invoice was not paid in time.
        Reminder = 1,
        /// A part of an invoice was paid, or all.
        PaymentReceived = 2,
        /// The account may not send until it has paid.
        SendingSuspended = 3,
    }
}

stored_enum! {
    /// Where an e-mail stands.
    MailState {
        /// It is to be sent.
        Pending = 0,
        /// A server took it.
        Sent = 1,
        /// It was not sent, and is not tried any more.
        GivenUp = 2,
    }
}

stored_enum! {
    /// Who processes payments.
    ProcessorKind {
        /// Stripe.
        Stripe = 0,
        /// Paystack.
        Paystack = 1,
        /// PayMongo.
        PayMongo = 2,
        /// Xendit.
        Xendit = 3,
        /// M-Pesa.
        MPesa = 4,
    }
}

stored_enum! {
    /// Where an invoice stands.
    InvoiceStatus {
        /// It can be changed, and has no number yet.
        Draft = 0,
        /// It is to be paid.
        Open = 1,
        /// Nothing is due any more.
        Paid = 2,
        /// It does not count: it was a mistake.
        Void = 3,
        /// Nobody expects to see the money.
        Uncollectible = 4,
    }
}

stored_enum! {
    /// Where an event in the inbox stands.
    WebhookState {
        /// It is kept, and its facts are not folded yet.
        Received = 0,
        /// Its facts are folded.
        Folded = 1,
        /// A person has to look: the reason says why.
        Parked = 2,
        /// Folding it failed too often; a person can have it tried again.
        Dead = 3,
        /// It says nothing that matters here.
        Ignored = 4,
    }
}

stored_enum! {
    /// What a line of an invoice is for.
    InvoiceLineKind {
        /// Messages to one country, of one class, at one price; its amount is the ledger's.
        Messages = 0,
        /// What the operator wrote.
        Item = 1,
        /// What rounding the lines of the ledger's amounts to the currency's minor unit adds or takes.
        Rounding = 2,
        /// A month of a plan; its amount is the ledger's.
        Plan = 3,
        /// A package that was bought, or what of its price was given back; its amount is the
        /// ledger's.
        Package = 4,
    }
}

stored_enum! {
    /// How a payment is started.
    PaymentFlow {
        /// The processor makes a page, and the payer is led there.
        HostedPage = 0,
        /// The processor makes an intent, and a form of the processor's on the client's own page
        /// pays it.
        Intent = 1,
        /// The processor asks the payer's phone.
        PhonePrompt = 2,
        /// The operator has the processor make it, and gives our id as its reference.
        Reference = 3,
    }
}

stored_enum! {
    /// What a payment is for.
    PaymentPurpose {
        /// Money for the balance.
        TopUp = 0,
        /// An invoice.
        Invoice = 1,
        /// Nothing that is known here: the operator's, until its payment is found.
        Unmatched = 2,
    }
}

stored_enum! {
    /// How a payment stands: what follows from its facts.
    PaymentStatus {
        /// Nothing happened yet.
        Open = 0,
        /// The payer has to do something.
        ActionRequired = 1,
        /// With the bank; may take days.
        Processing = 2,
        /// The last attempt failed; another may succeed.
        AttemptFailed = 3,
        /// Reserved at the bank, not collected.
        Authorized = 4,
        /// Collected.
        Paid = 5,
        /// Collected, and some of it given back.
        PartlyRefunded = 6,
        /// Collected, and all of it given back.
        Refunded = 7,
        /// Collected, and withdrawn for a dispute that is open.
        Disputed = 8,
        /// Collected, and lost in a dispute.
        ChargedBack = 9,
        /// Called off before anything was collected.
        Canceled = 10,
        /// Nobody paid in time.
        Expired = 11,
        /// The facts contradict each other: a person decides.
        Conflicting = 12,
    }
}

stored_enum! {
    /// In what our books and a processor's differ.
    DifferenceKind {
        /// The processor moved money that our books know nothing of.
        MissingHere = 0,
        /// Our books moved money that the processor knows nothing of.
        MissingThere = 1,
        /// Both moved it, but not as much.
        Amount = 2,
        /// Both know the fee, but not as much.
        Fee = 3,
        /// The processor moved it twice.
        Duplicate = 4,
        /// Both have it alike, more than a day apart.
        Stale = 5,
    }
}

stored_enum! {
    /// What a package holds.
    PackageKind {
        /// Parts of messages.
        Parts = 0,
        /// Credit in its currency.
        Credit = 1,
    }
}

stored_enum! {
    /// What the validity of a package is counted in.
    ValidityUnit {
        /// Days of 24 hours.
        Days = 0,
        /// Months of the calendar.
        Months = 1,
    }
}

stored_enum! {
    /// Where a granted package came from.
    PackageSource {
        /// The account bought it.
        Purchase = 0,
        /// A month of its plan includes it.
        Plan = 1,
        /// The operator gave it.
        Operator = 2,
    }
}

stored_enum! {
    /// Where a granted package stands.
    PackageState {
        /// It pays for messages until it expires.
        Active = 0,
        /// Nothing is left of it.
        UsedUp = 1,
        /// It expired with something left.
        Expired = 2,
        /// The operator took it back.
        Revoked = 3,
    }
}
