namespace Posthorn.Transport.Milter;

/// <summary>Words of the milter protocol, as Sendmail's <c>mfdef.h</c> has them.</summary>
internal static class MilterProtocol
{
    public const int OldestVersion = 2;
    public const int NewestVersion = 6;

    /// <summary>Octets of body in one packet (<c>MILTER_CHUNK_SIZE</c>): older filters take no more.</summary>
    public const int MaxChunk = 65_535;

    /// <summary>Octets of one packet from a filter: the largest data size of the protocol, 1 MiB, and what stands beside it.</summary>
    public const int MaxPacket = (1 << 20) + 4_096;

    /// <summary>All that a filter may do to a message.</summary>
    public const MilterActions AllActions = MilterActions.AddHeaders | MilterActions.ChangeBody | MilterActions.AddRecipients | MilterActions.DeleteRecipients
        | MilterActions.ChangeHeaders | MilterActions.Quarantine | MilterActions.ChangeFrom | MilterActions.AddRecipientsWithParameters | MilterActions.ChooseMacros;

    /// <summary>All that a filter may leave out or change in how it is spoken to.</summary>
    public const MilterSteps AllSteps = (MilterSteps)0x1FFFFF;

    /// <summary>What filters of version 2 know (<c>SMFI_V2_ACTS</c>, <c>SMFI_V2_PROT</c>).</summary>
    public static (MilterActions Actions, MilterSteps Steps) Offer(int version) => version switch
    {
        2 => ((MilterActions)0x3F, (MilterSteps)0x7F),
        3 => ((MilterActions)0x3F, (MilterSteps)0x17F),
        4 or 5 => ((MilterActions)0x3F, (MilterSteps)0x37F),
        _ => (AllActions, AllSteps),
    };
}

/// <summary>What the server says.</summary>
internal static class MilterCommand
{
    public const byte Negotiate = (byte)'O';
    public const byte Macros = (byte)'D';
    public const byte Connect = (byte)'C';
    public const byte Helo = (byte)'H';
    public const byte Mail = (byte)'M';
    public const byte Rcpt = (byte)'R';
    public const byte Data = (byte)'T';
    public const byte Unknown = (byte)'U';
    public const byte Header = (byte)'L';
    public const byte EndOfHeader = (byte)'N';
    public const byte Body = (byte)'B';
    public const byte EndOfBody = (byte)'E';
    public const byte Abort = (byte)'A';
    public const byte Quit = (byte)'Q';
    public const byte QuitNewConnection = (byte)'K';
}

/// <summary>What a filter may do to a message (<c>SMFIF_</c>).</summary>
[Flags]
internal enum MilterActions
{
    None = 0,
    AddHeaders = 0x1,
    ChangeBody = 0x2,
    AddRecipients = 0x4,
    DeleteRecipients = 0x8,
    ChangeHeaders = 0x10,
    Quarantine = 0x20,
    ChangeFrom = 0x40,
    AddRecipientsWithParameters = 0x80,
    ChooseMacros = 0x100,
}

/// <summary>What a filter does not want to hear or will not answer (<c>SMFIP_</c>).</summary>
[Flags]
internal enum MilterSteps
{
    None = 0,
    NoConnect = 0x1,
    NoHelo = 0x2,
    NoMail = 0x4,
    NoRcpt = 0x8,
    NoBody = 0x10,
    NoHeaders = 0x20,
    NoEndOfHeader = 0x40,
    NoHeaderReply = 0x80,
    NoUnknown = 0x100,
    NoData = 0x200,
    /// <summary>It may answer that it has seen enough.</summary>
    Skip = 0x400,
    /// <summary>It wants to see refused recipients too.</summary>
    RefusedRecipients = 0x800,
    NoConnectReply = 0x1000,
    NoHeloReply = 0x2000,
    NoMailReply = 0x4000,
    NoRcptReply = 0x8000,
    NoDataReply = 0x10000,
    NoUnknownReply = 0x20000,
    NoEndOfHeaderReply = 0x40000,
    NoBodyReply = 0x80000,
    /// <summary>The blank behind a field's colon is part of its value, both ways.</summary>
    LeadingSpace = 0x100000,
}

/// <summary>The stages that macros belong to (<c>SMFIM_</c>).</summary>
internal enum MilterStage
{
    Connect = 0,
    Helo = 1,
    Mail = 2,
    Rcpt = 3,
    Data = 4,
    EndOfMessage = 5,
    EndOfHeader = 6,
}

/// <summary>What was agreed with a filter.</summary>
/// <param name="Version">The version both know.</param>
/// <param name="Actions">What it may do.</param>
/// <param name="Steps">What it does not want.</param>
/// <param name="Macros">The macros it wants by stage; null for the usual ones.</param>
internal sealed record MilterTerms(int Version, MilterActions Actions, MilterSteps Steps, IReadOnlyList<IReadOnlyList<string>?> Macros)
{
    public const int Stages = 7;

    public bool Has(MilterSteps step) => (Steps & step) != 0;

    public bool Allows(MilterActions action) => (Actions & action) != 0;
}
