using Posthorn.Core;

namespace Posthorn.Store.Engine;

/// <summary>What the stores of all accounts share.</summary>
internal sealed record StoreServices(Recorder Recorder, MailReader Reader, AccountTurns Turns, FolderScanner Scanner, FolderWatch Watch, SpaceGuard Space, MaildirStoreOptions Options);
