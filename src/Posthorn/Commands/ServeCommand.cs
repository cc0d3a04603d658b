using System.CommandLine;
using System.Runtime.InteropServices;
using Posthorn.Configuration;
using Posthorn.Serving;

namespace Posthorn.Commands;

/// <summary><c>posthorn serve</c>: runs the server until SIGTERM or Ctrl-C; SIGHUP reloads. A second signal ends what the first one still waits for.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        Option<string?> config = CommonOptions.Config();
        Command command = new("serve", "Run the server") { config };
        command.SetAction((parsed, cancel) => RunAsync(ConfigurationLoader.Locate(parsed.GetValue(config)), host => ReadyAsync(), cancel));
        return command;
    }

    /// <summary>Serves the configuration in a file; <paramref name="ready"/> runs when all listeners accept.</summary>
    public static async Task<int> RunAsync(string file, Func<ServerHost, Task> ready, CancellationToken cancel)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using CancellationTokenSource hurry = new();
        // Registered first: a signal during the start must not end the program without a word to anybody.
        using PosixSignalRegistration term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, stop, hurry));
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, stop, hurry));
        ConfigurationResult loaded = ConfigurationLoader.Load(file);
        foreach (ConfigProblem problem in loaded.Problems) Console.Error.WriteLine(problem);
        if (loaded.Configuration is not { } configuration)
        {
            int mistakes = loaded.Problems.Count(p => !p.IsWarning);
            Console.Error.WriteLine($"{file}: {Quantity.Of(mistakes, "mistake")}, not started");
            return ExitStatus.Wrong;
        }
        try
        {
            await using ServerHost host = await ServerHost.StartAsync(configuration, TimeProvider.System, stop.Token);
            host.Hurry = hurry.Token;
            using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Reload(context, host));
            await ready(host);
            await host.RunAsync(stop.Token);
            return ExitStatus.Done;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested) { return ExitStatus.Done; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"posthorn: {e.Message}");
            return ExitStatus.Wrong;
        }
    }

    private static Task ReadyAsync() => Task.CompletedTask;

    // The third is the system's: it ends the program, whatever the program makes of it.
    private static void Stop(PosixSignalContext context, CancellationTokenSource stop, CancellationTokenSource hurry)
    {
        context.Cancel = !hurry.IsCancellationRequested;
        (stop.IsCancellationRequested ? hurry : stop).Cancel();
    }

    private static void Reload(PosixSignalContext context, ServerHost host)
    {
        context.Cancel = true;
        _ = host.Reload(); // reports into the log
    }
}
