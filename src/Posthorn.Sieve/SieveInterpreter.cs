using Posthorn.Sieve.Matching;
using Posthorn.Sieve.Running;

namespace Posthorn.Sieve;

/// <summary>Runs scripts over messages: a pure computation from message, context and the host's answers to a list of actions.</summary>
/// <remarks>
/// A run that needs an answer it does not have stops, asks the host, and begins again: the second time it comes to the same place with the
/// answer in hand. So the evaluation itself never waits, and scripts that ask nothing (nearly all) run once.
/// </remarks>
public static class SieveInterpreter
{
    /// <summary>Runs a chain of scripts: each but the last hands on only when it ends in a keep (administrators' scripts around the user's).</summary>
    public static async ValueTask<SieveResult> RunAsync(
        IReadOnlyList<SieveScript> scripts, ISieveMessage message, SieveContext context, SieveSettings settings, ISieveHost host, CancellationToken cancel)
    {
        Dictionary<SieveQuestion, SieveAnswer> answers = [];
        // One budget for all attempts, so that asking buys no time.
        StepBudget budget = new(settings.Limits.MaxSteps, settings.Limits.MaxTime, context.Time);
        while (true)
        {
            Execution x = new(message, context, settings, answers.GetValueOrDefault, budget);
            context.Trace?.Begin();
            SieveQuestion? question = Attempt(x, scripts, out SieveError? error);
            if (question is null) return Result(x, message, error);
            if (answers.Count >= settings.Limits.MaxQuestions)
                return Result(x, message, new("the script asks the mail store too much", SieveFailure.Limit, x.Position));
            answers[question] = await host.AskAsync(question, cancel).ConfigureAwait(false);
        }
    }

    // The question that is open, or null at the end.
    internal static SieveQuestion? Attempt(Execution x, IReadOnlyList<SieveScript> scripts, out SieveError? error)
    {
        error = null;
        try
        {
            for (int i = 0; i < scripts.Count; i++)
            {
                x.Frame = new(scripts[i], null);
                x.RunBlock(scripts[i].Body);
                if (i + 1 < scripts.Count && !x.Result.EndScript()) break;
            }
        }
        catch (SieveQuestionException open)
        {
            return open.Question;
        }
        catch (SieveRunException failed)
        {
            error = new(failed.Message, failed.Failure, failed.At ?? x.Position);
        }
        return null;
    }

    private static SieveResult Result(Execution x, ISieveMessage message, SieveError? error)
    {
        // After an error nothing is done but keeping the message as it came (RFC 5228 section 2.10.6, RFC 5293 section 7).
        if (error is not null) return new([new SieveAction.Keep([], new SieveImage(message, true), true)], error, x.Notes, []);
        return new(x.Result.Finish(), null, x.Notes, x.Result.SeenIds);
    }
}
