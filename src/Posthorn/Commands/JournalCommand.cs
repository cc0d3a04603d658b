using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Posthorn.Journal;
using Posthorn.Journal.Volume;
using Posthorn.Serving;

namespace Posthorn.Commands;

/// <summary><c>posthorn journal verify|show</c>: says what the redo log holds, changing nothing; the server may run.</summary>
internal static class JournalCommand
{
    public static Command Create() => new("journal", "See what the redo log holds") { Verify(), Show() };

    private static Command Verify()
    {
        Option<string?> config = CommonOptions.Config();
        Option<bool> json = CommonOptions.Json();
        Command command = new("verify", "Check every record; status 1 when one is damaged") { config, json };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            using JournalInspector inspector = JournalInspector.Open(new LinuxVolume(), OptionsFor.Journal(configuration).Directory);
            JournalReport report = Examine(inspector);
            if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(report, CommandJson.Default.JournalReport));
            else
            {
                foreach (string bad in report.Damaged) Console.Out.WriteLine(bad);
                Console.Out.WriteLine($"{report.Records} records in {report.Segments} segments, checkpoint {report.Checkpoint}: {(report.Good ? "good" : $"{report.Damaged.Count} damaged")}");
            }
            return Task.FromResult(report.Good ? ExitStatus.Done : ExitStatus.Wrong);
        }));
        return command;
    }

    private static Command Show()
    {
        Option<string?> config = CommonOptions.Config();
        Command command = new("show", "List the segments and records, oldest first") { config };
        command.SetAction((parsed, _) => WithConfiguration.RunAsync(parsed.GetValue(config), configuration =>
        {
            using JournalInspector inspector = JournalInspector.Open(new LinuxVolume(), OptionsFor.Journal(configuration).Directory);
            Console.Out.WriteLine($"checkpoint {inspector.Checkpoint}");
            foreach (SegmentReport segment in inspector.Segments())
                Console.Out.WriteLine($"segment {segment.Path}: {segment.State.ToString().ToLowerInvariant()}, epoch {segment.Epoch}, from {segment.FirstLsn}");
            foreach (RecordReport record in inspector.Records()) Console.Out.WriteLine(Describe(record));
            return Task.FromResult(ExitStatus.Done);
        }));
        return command;
    }

    private static JournalReport Examine(JournalInspector inspector)
    {
        List<string> damaged = [];
        int records = 0;
        foreach (RecordReport record in inspector.Records())
        {
            if (record.IsBad) damaged.Add(Describe(record));
            else records++;
        }
        return new(damaged.Count == 0, inspector.Segments().Count(), records, inspector.Checkpoint.Value, damaged);
    }

    private static string Describe(RecordReport report)
    {
        string numbers = report.First == report.Last ? report.First.ToString() : $"{report.First}-{report.Last}";
        string line = string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileName(report.Segment)}@{report.Offset} {numbers} {report.Verdict.ToString().ToLowerInvariant()}");
        if (report.Record is not { } record) return line;
        string steps = string.Join(' ', record.Steps.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s.Participant}.{s.Kind}({s.Payload.Length})")));
        return string.Create(CultureInfo.InvariantCulture, $"{line} {record.Time:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} steps {steps}{(record.HasContent ? $" content {record.ContentLength}" : "")}");
    }
}

/// <summary>What <c>journal verify --json</c> prints.</summary>
internal sealed record JournalReport(bool Good, int Segments, int Records, long Checkpoint, IReadOnlyList<string> Damaged);
