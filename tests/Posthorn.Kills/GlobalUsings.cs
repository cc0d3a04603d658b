// The namespace Posthorn.Directory hides System.IO.Directory here.
global using Folder = System.IO.Directory;
global using Posthorn.Testing;
