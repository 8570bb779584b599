using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Onnx.Files;

/// <summary>
/// How many names an open file has. A hard link inside the model's directory can name any file of the disk (CVE-2026-34446 of
/// onnx), and .NET has no question for it; so the operating system is asked.
/// </summary>
internal static partial class FileLinks
{
    private const int EmptyPath = 0x1000, LinkCountMask = 0x4;

    /// <summary>Names of the file; null where the operating system does not say.</summary>
    public static long? Count(SafeFileHandle handle)
    {
        try
        {
            if (OperatingSystem.IsWindows())
            {
                // BY_HANDLE_FILE_INFORMATION: nNumberOfLinks is the eleventh of thirteen 32-bit words.
                var words = new uint[13];
                return GetFileInformationByHandle(handle, words) ? words[10] : null;
            }
            if (OperatingSystem.IsLinux())
            {
                // struct statx: stx_nlink is the 32-bit word at byte 16, the same on every architecture.
                var bytes = new byte[256];
                return StatX(handle, "", EmptyPath, LinkCountMask, bytes) == 0 ? BitConverter.ToUInt32(bytes, 16) : null;
            }
            if (OperatingSystem.IsMacOS())
            {
                // struct stat with 64-bit inodes: st_nlink is the 16-bit word at byte 6.
                var bytes = new byte[256];
                return RuntimeInformation.ProcessArchitecture == Architecture.X64
                    ? (StatX64(handle, bytes) == 0 ? BitConverter.ToUInt16(bytes, 6) : null)
                    : (Stat(handle, bytes) == 0 ? BitConverter.ToUInt16(bytes, 6) : null);
            }
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
        }
        return null;
    }

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool GetFileInformationByHandle(SafeFileHandle file, [Out] uint[] information);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int StatX(SafeFileHandle directory, string path, int flags, uint mask, [Out] byte[] buffer);

    [LibraryImport("libc", EntryPoint = "fstat$INODE64")]
    private static partial int StatX64(SafeFileHandle file, [Out] byte[] buffer);

    [LibraryImport("libc", EntryPoint = "fstat")]
    private static partial int Stat(SafeFileHandle file, [Out] byte[] buffer);
}
