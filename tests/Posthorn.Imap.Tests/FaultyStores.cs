using System.Reflection;
using Posthorn.Core;
using Posthorn.Store;

namespace Posthorn.Imap.Tests;

/// <summary>Wraps stores so that one method of every account's store throws.</summary>
public class FaultyStores : DispatchProxy
{
    private object _inner = null!;
    private string _method = "";

    public static T Wrap<T>(T inner, string method) where T : class
    {
        T proxy = Create<T, FaultyStores>();
        FaultyStores fault = (FaultyStores)(object)proxy;
        (fault._inner, fault._method) = (inner, method);
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == _method) throw new IOException("The disk is broken.");
        return targetMethod.Name == nameof(IMailStores.OpenAsync) ? Open(args!) : targetMethod.Invoke(_inner, args);
    }

    private async ValueTask<Result<IMailStore>> OpenAsync(IMailStores stores, MailAccount account)
    {
        IMailStore store = (await stores.OpenAsync(account, default)).Value;
        IMailStore wrapped = Wrap(store, _method);
        // C# knows no conversion operator from an interface; Result's own makes it.
        return (Result<IMailStore>)typeof(Result<IMailStore>).GetMethods().First(m => m.Name == "op_Implicit" && m.GetParameters()[0].ParameterType == typeof(IMailStore)).Invoke(null, [wrapped])!;
    }

#pragma warning disable CA2012, CA1859 // A proxy's result is an object; the caller awaits what is in it.
    private object Open(object?[] args)
    {
        return OpenAsync((IMailStores)_inner, (MailAccount)args[0]!);
    }
#pragma warning restore CA2012, CA1859
}
