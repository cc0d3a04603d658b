using System.CommandLine;
using Posthorn.Bench.Queue;

Option<int> messages = new("--messages") { Description = "messages in the queue", DefaultValueFactory = _ => 100_000 };
Option<int> destinations = new("--destinations") { Description = "domains that they go to", DefaultValueFactory = _ => 1_000 };
Command queue = new("queue", "A long queue on this disk: start, list, drain") { messages, destinations };
queue.SetAction((parsed, cancel) => LongQueue.RunAsync(parsed.GetValue(messages), parsed.GetValue(destinations), cancel));
Option<double> minutes = new("--minutes") { Description = "how long mail comes in", DefaultValueFactory = _ => 60 };
Option<int> rate = new("--rate") { Description = "messages a second", DefaultValueFactory = _ => 200 };
Option<string> program = new("--posthorn") { Description = "the program: posthorn or posthorn.dll", Required = true };
Option<string?> plot = new("--plot") { Description = "write memory and queue over time to this file, comma separated, and draw them beside it (.svg)" };
Command soak = new("soak", "Mixed load on a running server, with peers that fail at random; every message is accounted for") { minutes, rate, program, plot };
soak.SetAction((parsed, cancel) => Soak.RunAsync(parsed.GetRequiredValue(program), TimeSpan.FromMinutes(parsed.GetValue(minutes)), parsed.GetValue(rate), parsed.GetValue(plot), cancel));
Argument<string> samples = new("samples") { Description = "what --plot wrote" };
Command draw = new("draw", "Draws the samples of a soak again") { samples };
draw.SetAction(async (parsed, cancel) =>
{
    string file = parsed.GetRequiredValue(samples);
    string[] lines = await File.ReadAllLinesAsync(file, cancel);
    await File.WriteAllTextAsync(Path.ChangeExtension(file, ".svg"), SoakPlot.Of([.. lines.Skip(1).Select(SoakSample.Parse)]), cancel);
});
Option<int> traced = new("--messages") { Description = "messages in thirty days", DefaultValueFactory = _ => 1_000_000 };
Command trace = new("trace", "The trace of many messages: writing it, and finding one") { traced };
trace.SetAction((parsed, cancel) => TraceScale.RunAsync(parsed.GetValue(traced), cancel));
return await new RootCommand("Measures and tries the queue") { queue, soak, draw, trace }.Parse(args).InvokeAsync();
