using System.Reflection;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Imap.Tests;

/// <summary>Wraps stores so that one method of every account's store throws.</summary>
public class FaultyStores : DispatchProxy
{
    private object _inner = null!;
    private string _method = "";
    private Exception _problem = new IOException("The disk is broken.");
    private Gathering? _gate;
    private Task? _stall;

    /// <summary>Appends complete only after so many have begun.</summary>
    public static IMailStores Gate(IMailStores inner, int appends)
    {
        IMailStores proxy = Wrap(inner, "");
        ((FaultyStores)(object)proxy)._gate = new(appends);
        return proxy;
    }

    /// <summary>Text searches, COPY and MOVE do one message, and the rest only when the task has completed.</summary>
    public static IMailStores Stall(IMailStores inner, Task until)
    {
        IMailStores proxy = Wrap(inner, "");
        ((FaultyStores)(object)proxy)._stall = until;
        return proxy;
    }

    public static T Wrap<T>(T inner, string method, Exception? problem = null) where T : class
    {
        T proxy = Create<T, FaultyStores>();
        FaultyStores fault = (FaultyStores)(object)proxy;
        (fault._inner, fault._method, fault._problem) = (inner, method, problem ?? fault._problem);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name is nameof(IMailStore.AppendAsync) or nameof(IMailStore.AppendSoonAsync) && _gate is { } gate)
        {
            gate.Arrive();
            return Later(gate, targetMethod, args!);
        }
        if (targetMethod.Name is nameof(IMailStore.FindTextAsync) or nameof(IMailStore.CopyAsync) or nameof(IMailStore.MoveAsync) && _stall is not null)
        {
            ((IProgress<int>?)args![^1])?.Report(1);
            return targetMethod.Name == nameof(IMailStore.FindTextAsync) ? Later<IReadOnlyList<Uid>>(targetMethod, args) : Later<Result<Placement>>(targetMethod, args);
        }

        if (targetMethod.Name == _method) throw _problem;
        return targetMethod.Name == nameof(IMailStores.OpenAsync) ? Open(args!) : targetMethod.Invoke(_inner, args);
    }

    private async ValueTask<Result<IMailStore>> OpenAsync(IMailStores stores, MailAccount account)
    {
        IMailStore store = (await stores.OpenAsync(account, default)).Value;
        IMailStore wrapped = Wrap(store, _method, _problem);
        ((FaultyStores)(object)wrapped)._gate = _gate;
        ((FaultyStores)(object)wrapped)._stall = _stall;
        // C# knows no conversion operator from an interface; Result's own makes it.
        return (Result<IMailStore>)typeof(Result<IMailStore>).GetMethods().First(m => m.Name == "op_Implicit" && m.GetParameters()[0].ParameterType == typeof(IMailStore)).Invoke(null, [wrapped])!;
    }

    private async ValueTask<T> StalledAsync<T>(MethodInfo method, object?[] args)
    {
        await _stall!;
        return await (ValueTask<T>)method.Invoke(_inner, args)!;
    }

    private async ValueTask<Result<AppendReceipt>> LaterAsync(Gathering gate, MethodInfo method, object?[] args)
    {
        Result<AppendReceipt> receipt = await (ValueTask<Result<AppendReceipt>>)method.Invoke(_inner, args)!;
        await gate.All;
        return receipt;
    }

    /// <summary>Completes when enough have come.</summary>
    private sealed class Gathering(int count)
    {
        private readonly TaskCompletionSource _all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _arrived;

        public Task All => _all.Task;

        public void Arrive()
        {
            if (Interlocked.Increment(ref _arrived) == count) _all.SetResult();
        }
    }

#pragma warning disable CA2012, CA1859 // A proxy's result is an object; the caller awaits what is in it.
    private object Open(object?[] args)
    {
        return OpenAsync((IMailStores)_inner, (MailAccount)args[0]!);
    }
    private object Later<T>(MethodInfo method, object?[] args) => StalledAsync<T>(method, args);
    private object Later(Gathering gate, MethodInfo method, object?[] args) => LaterAsync(gate, method, args);
#pragma warning restore CA2012, CA1859
}
