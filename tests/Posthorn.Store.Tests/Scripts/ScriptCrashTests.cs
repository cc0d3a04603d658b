using System.Text;
using Microsoft.Extensions.Time.Testing;
using Posthorn.Core;
using Posthorn.Store.Scripts;
using Posthorn.Testing.Volumes;

namespace Posthorn.Store.Tests.Scripts;

/// <summary>The power goes at every call of the file system in turn: what was acknowledged stays, and what was being done is done or not done.</summary>
public sealed class ScriptCrashTests
{
    private static readonly CancellationToken Cancel = TestContext.Current.CancellationToken;

    private static readonly (string What, Func<IScriptStore, MailAccount, ValueTask<Result<Done>>> Run)[] Steps =
    [
        ("put a", (store, ann) => store.PutAsync(ann, Name("a"), "first"u8.ToArray(), Cancel)),
        ("put b", (store, ann) => store.PutAsync(ann, Name("b"), "other"u8.ToArray(), Cancel)),
        ("activate a", (store, ann) => store.ActivateAsync(ann, Name("a"), Cancel)),
        ("replace a", (store, ann) => store.PutAsync(ann, Name("a"), "second"u8.ToArray(), Cancel)),
        ("rename a", (store, ann) => store.RenameAsync(ann, Name("a"), Name("c"), Cancel)),
        ("activate b", (store, ann) => store.ActivateAsync(ann, Name("b"), Cancel)),
        ("delete c", (store, ann) => store.DeleteAsync(ann, Name("c"), Cancel)),
        ("rename b", (store, ann) => store.RenameAsync(ann, Name("b"), Name("d"), Cancel)),
        ("deactivate", (store, ann) => store.ActivateAsync(ann, null, Cancel)),
    ];

    [Fact]
    public async Task Nothing_acknowledged_is_lost()
    {
        string[] states = [await StateAsync(new CrashVolume(new FakeTimeProvider())), .. await ExpectedAsync()];
        // Renaming the active script goes by way of a state with both names.
        string[] between = ["a=second b=other c=second active=second", "b=other d=other active=other"];
        int operations = await CountAsync();
        Assert.True(operations > Steps.Length * 3, $"only {operations} operations");
        for (int cut = 1; cut <= operations; cut++)
        {
            for (int seed = 0; seed < 12; seed++)
            {
                CrashVolume volume = new(new FakeTimeProvider()) { CutAt = cut };
                int done = 0;
                try
                {
                    for (; done < Steps.Length; done++) Assert.True((await Steps[done].Run(Store(volume), Ann)).IsOk);
                }
                catch (PowerCut)
                {
                    // As arranged.
                }

                volume.Crash(seed);
                string found = await StateAsync(volume);
                string[] legal = done < Steps.Length ? [states[done], states[done + 1], .. Steps[done].What.StartsWith("rename", StringComparison.Ordinal) ? between : []] : [states[done]];
                Assert.True(legal.Contains(found), $"cut at {cut}, seed {seed}, in {(done < Steps.Length ? Steps[done].What : "nothing")}: {found}, not {string.Join(" or ", legal)}");
            }
        }
    }

    private static MailAccount Ann
    {
        get
        {
            EmailAddress.TryParse("ann@example.org", out EmailAddress address);
            return new() { Address = address, MailRoot = "/mail/ann", Home = "/mail/ann/home" };
        }
    }

    private static async Task<List<string>> ExpectedAsync()
    {
        CrashVolume volume = new(new FakeTimeProvider());
        List<string> states = [];
        foreach ((string _, Func<IScriptStore, MailAccount, ValueTask<Result<Done>>> run) in Steps)
        {
            Assert.True((await run(Store(volume), Ann)).IsOk);
            states.Add(await StateAsync(volume));
        }

        return states;
    }

    private static async Task<int> CountAsync()
    {
        CrashVolume volume = new(new FakeTimeProvider());
        foreach ((string _, Func<IScriptStore, MailAccount, ValueTask<Result<Done>>> run) in Steps) await run(Store(volume), Ann);
        return volume.Operations;
    }

    private static async Task<string> StateAsync(CrashVolume volume)
    {
        FileScriptStore store = Store(volume);
        StringBuilder state = new();
        foreach (ScriptInfo script in await store.ListAsync(Ann, Cancel))
            state.Append(script.Name).Append('=').Append(Text((await store.GetAsync(Ann, script.Name, Cancel)).Value)).Append(' ');
        Result<StoredScript> active = await store.ActiveAsync(Ann, Cancel);
        return state.Append("active=").Append(active.IsOk ? Text(active.Value) : "none").ToString();
    }

    private static FileScriptStore Store(CrashVolume volume) => new(new(), volume, new FakeTimeProvider());

    private static string Text(StoredScript script) => Encoding.UTF8.GetString(script.Content.Span);

    private static ScriptName Name(string text)
    {
        Assert.True(ScriptName.TryCreate(text, out ScriptName name));
        return name;
    }
}
