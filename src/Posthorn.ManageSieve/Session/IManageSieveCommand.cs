using Posthorn.ManageSieve.Wire;

namespace Posthorn.ManageSieve.Session;

/// <summary>A command that has been read and can be run.</summary>
internal interface IManageSieveCommand
{
    ValueTask<Completion> RunAsync(ManageSieveSession session, CancellationToken cancel);
}

/// <summary>A command with its grammar. Parsing never talks to the store; running never parses.</summary>
internal interface IManageSieveCommand<T> : IManageSieveCommand where T : class, IManageSieveCommand<T>
{
    static abstract T Parse(ref ArgumentReader args);
}
